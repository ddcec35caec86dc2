import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import {
  CALL_MAX_BYTES,
  CALLS_TYPE,
  CallReader,
  encodeAnswer,
  type NumberedCall
} from '../wire/calls.ts'
import { CallStream } from './call-stream.ts'

type Reply = (call: NumberedCall, response: ServerResponse, request: IncomingMessage) => void

/** A server for calls that answers them by `reply`, and how often it was connected to. */
async function serving(t: Test, reply: Reply) {
  const seen = { connections: 0 }
  const server = createServer((request, response) => {
    seen.connections += 1
    const reader = new CallReader()
    response.writeHead(200, { 'content-type': CALLS_TYPE }).flushHeaders()
    request.on('data', chunk => {
      for (const call of reader.read(chunk)) reply(call, response, request)
    })
  })
  const stream = await open(t, server)
  return { seen, ...stream }
}

async function open(t: Test, server: ReturnType<typeof createServer>) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stream = new CallStream(`http://127.0.0.1:${port}`, { authorization: 'Bearer x' })
  t.teardown(() => {
    stream.destroy()
    server.closeAllConnections()
    server.close()
  })
  const send = (body: string, timeoutMs = 5_000) =>
    stream.send({ path: '/read', headers: {}, body }, timeoutMs)
  return { stream, send }
}

const answer = (response: ServerResponse, n: number, body: string, status = 200) => {
  const retryAfterS = status === 503 ? 1 : 0
  const parts = encodeAnswer({ n, status, retryAfterS, body: Buffer.from(body) })
  response.write(Buffer.concat(parts))
}

t.test('calls share a connection, and are answered as each is ready', async t => {
  let first: (() => void) | undefined
  const { send, seen } = await serving(t, ({ n, body }, response) => {
    const reply = () => answer(response, n, JSON.stringify({ got: body }))
    if (body === 'slow') first = reply
    else reply()
  })
  const slow = send('"slow"')
  t.match(await send('"quick"'), { kind: 'answer', status: 200, text: '{"got":"quick"}' })
  first?.()
  t.match(await slow, { kind: 'answer', text: '{"got":"slow"}' })
  t.equal(seen.connections, 1)
})

t.test('each call has a status of its own, and what it says of waiting', async t => {
  const { send } = await serving(t, ({ n }, response) => answer(response, n, '{}', 503))
  t.match(await send('{}'), { kind: 'answer', status: 503, retryAfterS: 1 })
})

t.test(
  'a connection that ends fails what it has not answered; the next call opens another',
  async t => {
    let lives = 0
    const { send, seen } = await serving(t, ({ n }, response, request) => {
      if (lives++ < 2) request.socket.resetAndDestroy()
      else answer(response, n, '{}')
    })
    const failed = await Promise.all([send('1'), send('2')])
    for (const one of failed) t.match(one, { kind: 'failed', sent: true })
    t.match(await send('3'), { kind: 'answer' })
    t.equal(seen.connections, 2)
  }
)

t.test('a call that is late fails alone; a connection that is silent is given up', async t => {
  const { send, seen } = await serving(t, ({ n, body }, response) => {
    if (body === 'answer') answer(response, n, '{}')
  })
  const late = send('"hang"', 100)
  const timer = setInterval(() => void send('"answer"'), 20)
  t.match(await late, { kind: 'failed', sent: true })
  clearInterval(timer)
  t.match(await send('"answer"'), { kind: 'answer' })
  t.equal(seen.connections, 1)
  const other = send('"hang"', 5_000)
  t.match(await send('"hang"', 50), { kind: 'failed', sent: true })
  t.match(await other, { kind: 'failed', sent: true })
})

t.test('nobody got what was refused a connection', async t => {
  const stream = new CallStream('http://127.0.0.1:1', {})
  t.match(await stream.send({ path: '/read', headers: {}, body: '{}' }, 1_000), {
    ...{ kind: 'failed', sent: false, cause: { code: 'ECONNREFUSED' } }
  })
})

t.test('a server that does not know such calls, or refuses them, is not asked again', async t => {
  for (const status of [404, 401, 403]) {
    const server = createServer((_request, response) => response.writeHead(status).end('{}'))
    const { stream, send } = await open(t, server)
    const call = { path: '/read', headers: {}, body: '{}' }
    t.equal(stream.takes(call), true)
    t.match(await send('{}'), { kind: 'failed', sent: false })
    t.equal(stream.takes(call), false)
  }
})

t.test('a connection that is refused for a moment is the answer to each call', async t => {
  const server = createServer(({ headers }, response) => {
    response.writeHead(503, { 'retry-after': '2' })
    response.end(JSON.stringify({ code: headers.authorization }))
  })
  const { stream, send } = await open(t, server)
  for (const one of await Promise.all([send('1'), send('2')])) {
    t.match(one, { kind: 'answer', status: 503, retryAfterS: 2, text: '{"code":"Bearer x"}' })
  }
  t.ok(stream.takes({ path: '/read', headers: {}, body: '{}' }))
})

t.test('large calls go another way', async t => {
  const stream = new CallStream('http://127.0.0.1:1', {})
  const body = 'x'.repeat(CALL_MAX_BYTES)
  t.equal(stream.takes({ path: '/read', headers: {}, body }), false)
})
