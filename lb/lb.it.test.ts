import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { openLog } from '../platform/log.ts'
import { registerService } from '../platform/registration.ts'
import { openZooKeeper } from '../platform/zookeeper.ts'
import { startServices } from '../testing/environment.ts'
import { openLb } from './server.ts'

const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const log = openLog({ service: 'lb', level: 'silent' })
let clusters = 0

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void
interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: http.IncomingHttpHeaders
}

/** An lb on a cluster of its own, and a way to put instances behind it. */
async function gateway(t: Test, limits: { attemptMs?: number; deadlineMs?: number } = {}) {
  const zooKeeper = await openZooKeeper({
    hosts: services.CONVOY_ZOOKEEPER,
    auth: services.CONVOY_ZOOKEEPER_AUTH,
    cluster: `lb-${++clusters}`,
    sessionTimeoutMs: 1_000,
    log
  })
  t.teardown(() => zooKeeper[Symbol.asyncDispose]())
  const config = {
    CONVOY_LB_ATTEMPT_MS: limits.attemptMs ?? 5_000,
    CONVOY_LB_DEADLINE_MS: limits.deadlineMs ?? 10_000,
    CONVOY_LB_UNDER_WAY_MAX: 100
  }
  const app = await openLb({ config, zooKeeper, log, metrics: new Registry() })
  t.teardown(() => app.close())
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })

  const call = async (path: string, options: Parameters<typeof request>[1] = {}) => {
    const { statusCode, headers, body } = await request(`${origin}${path}`, options)
    return { status: statusCode, headers, text: await body.text() }
  }
  /** @param port an earlier instance's, for one that is started again */
  const instance = async (handler: Handler, options: { name?: string; port?: number } = {}) => {
    const started = await backend(handler, options.port ?? 0)
    t.teardown(() => started.die())
    const id = `${Math.random()}`
    const kept = registerService(zooKeeper, {
      name: options.name ?? 'users-api',
      id,
      http: `http://127.0.0.1:${started.port}`
    })
    await until('lb knows it', async () => (await call('/')).text.includes(`:${started.port}/`))
    return { ...started, leave: () => kept[Symbol.asyncDispose]() }
  }
  return { call, instance, origin }
}

async function backend(handler: Handler, port: number) {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request
    seen.push({ method, url, headers })
    request.resume()
    handler(request, response)
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    /** As by kill -9: the port is closed, connections break. */
    die() {
      server.close()
      for (const socket of sockets) socket.resetAndDestroy()
    }
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>) {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(10)
  }
}

const answer =
  (text: string): Handler =>
  (_request, response) => {
    response.setHeader('content-length', Buffer.byteLength(text))
    response.end(text)
  }
const hang: Handler = () => {}
const codeOf = ({ text }: { text: string }) => JSON.parse(text).code

t.test('paths lead to their service, all else is not found', async t => {
  const { call, instance } = await gateway(t)
  t.equal((await call('/readyz')).status, 503)
  await instance(answer('users'))
  await instance(answer('rides'), { name: 'rides-api' })
  t.equal((await call('/readyz')).status, 200)
  t.equal((await call('/api/v1/users')).text, 'users')
  t.equal((await call('/api/v1/users/ada?x=1')).text, 'users')
  t.equal((await call('/api/v1/rides/count')).text, 'rides')
  for (const path of ['/api/v1/_count', '/api/v1/db/clear', '/api/v2/users']) {
    const reply = await call(path)
    t.equal(reply.status, 404)
    t.equal(codeOf(reply), 'CONVOY_NOT_FOUND')
  }
})

t.test('a request and its answer pass as they are, with the way added', async t => {
  const { call, instance } = await gateway(t)
  let body = ''
  const { seen } = await instance((request, response) => {
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      response.writeHead(201, { location: '/api/v1/users/7', connection: 'close' }).end('{}')
    })
  })
  const reply = await call('/api/v1/users?a=%2F', {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'x-request-id': 'r-7', te: 'trailers' },
    body: '{"name": 1}'
  })
  t.equal(reply.status, 201)
  t.equal(reply.headers.location, '/api/v1/users/7')
  t.equal(reply.headers['x-request-id'], 'r-7')
  t.equal(body, '{"name": 1}')
  const [first] = seen
  t.equal(first?.url, '/api/v1/users?a=%2F')
  t.match(first?.headers, {
    'content-type': 'application/json',
    'x-request-id': 'r-7',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'idempotency-key': /^lb-/
  })
  t.equal(first?.headers.te, undefined)
})

t.test('answers without a body, to HEAD, and of other statuses pass through', async t => {
  const { call, instance } = await gateway(t)
  await instance((request, response) => {
    if (request.method === 'HEAD') response.writeHead(200, { 'content-length': 99 }).end()
    else if (request.method === 'GET') response.writeHead(204).end()
    else response.writeHead(405, { allow: 'GET' }).end('{"code":"CONVOY_METHOD_NOT_ALLOWED"}')
  })
  const empty = await call('/api/v1/users')
  t.strictSame([empty.status, empty.text], [204, ''])
  const head = await call('/api/v1/users', { method: 'HEAD' })
  t.strictSame([head.status, head.headers['content-length']], [200, '99'])
  const wrong = await call('/api/v1/users', { method: 'PATCH' })
  t.strictSame([wrong.status, wrong.headers.allow], [405, 'GET'])
})

t.test('a large answer is handed on as it comes', async t => {
  const { origin, instance } = await gateway(t)
  const part = Buffer.alloc(1024 * 1024, 'x')
  const parts = 20
  await instance(async (_request, response) => {
    response.writeHead(200)
    for (let i = 0; i < parts; i++) if (!response.write(part)) await once(response, 'drain')
    response.end()
  })
  const { body } = await request(`${origin}/api/v1/users`)
  t.equal((await body.bytes()).length, parts * part.length)
})

t.test('a body that is too large is refused', async t => {
  const { call, instance } = await gateway(t)
  const { seen } = await instance(answer('never'))
  const body = Buffer.alloc(1024 * 1024 + 1)
  const reply = await call('/api/v1/users', { method: 'PUT', body })
  t.equal(reply.status, 413)
  t.equal(codeOf(reply), 'CONVOY_BODY_TOO_LARGE')
  t.equal(seen.length, 0)
})

t.test('of two instances one may die: nobody notices', async t => {
  const { call, instance } = await gateway(t)
  const dying = await instance((_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half an ans')
    setImmediate(() => dying.die())
  })
  await instance(answer('whole'))
  const replies = await Promise.all(
    Array.from({ length: 40 }, () => call('/api/v1/users', { method: 'PUT', body: '{}' }))
  )
  for (const { status, text } of replies) t.strictSame([status, text], [200, 'whole'])
})

t.test('the only instance may die and come back: a slower answer with the same key', async t => {
  const { call, instance } = await gateway(t)
  const first = await instance(() => first.die())
  const pending = call('/api/v1/users', { method: 'PUT', body: '{"n":1}' })
  await until('the first has it', () => first.seen.length === 1)
  await first.leave()
  const second = await instance(answer('done'), { port: first.port })
  t.equal((await pending).text, 'done')
  const keys = [first, second].map(({ seen }) => seen[0]?.headers['idempotency-key'])
  t.match(keys[0], /^lb-/)
  t.equal(keys[0], keys[1])
})

t.test('a request that comes while no instance is there waits for one', async t => {
  const { call, instance } = await gateway(t)
  const pending = call('/api/v1/users')
  await sleep(100)
  await instance(answer('here'))
  t.equal((await pending).text, 'here')
})

t.test('an instance that hangs is given up for another', async t => {
  const { call, instance } = await gateway(t, { attemptMs: 200 })
  await instance(hang)
  await instance(answer('here'))
  const replies = await Promise.all(Array.from({ length: 10 }, () => call('/api/v1/users')))
  for (const { text } of replies) t.equal(text, 'here')
})

t.test('an instance that has just started and is not ready yet is asked again', async t => {
  const { call, instance } = await gateway(t)
  let asked = 0
  await instance((_request, response) => {
    asked += 1
    const body = asked < 3 ? '{"code":"CONVOY_NOT_READY","message":""}' : 'ready'
    response.writeHead(asked < 3 ? 503 : 200, { 'content-length': body.length }).end(body)
  })
  t.equal((await call('/api/v1/users', { method: 'PUT' })).text, 'ready')
})

t.test('without an instance, an answer or a connection, the error says which', async t => {
  const { call, instance } = await gateway(t, { attemptMs: 150, deadlineMs: 400 })
  const none = await call('/api/v1/users')
  t.strictSame([none.status, codeOf(none)], [503, 'CONVOY_NO_INSTANCE'])
  t.equal(none.headers['retry-after'], '1')
  await instance(hang)
  const late = await call('/api/v1/users')
  t.strictSame([late.status, codeOf(late)], [504, 'CONVOY_GATEWAY_TIMEOUT'])
  await instance(request => request.socket.destroy(), { name: 'rides-api' })
  const lost = await call('/api/v1/rides')
  t.strictSame([lost.status, codeOf(lost)], [502, 'CONVOY_BAD_GATEWAY'])
})

t.test('an instance that leaves gets nothing new, and ends what it has', async t => {
  const { call, instance } = await gateway(t)
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const leaving = await instance(async (request, response) => {
    await released
    answer('slow but whole')(request, response)
  })
  const pending = call('/api/v1/users')
  await until('it has the request', () => leaving.seen.length === 1)
  await leaving.leave()
  await instance(answer('new'))
  await until('the other is asked', async () => (await call('/api/v1/users')).text === 'new')
  release()
  t.equal((await pending).text, 'slow but whole')
  t.equal(leaving.seen.length, 1)
})

t.test(
  'what a client has left is done no longer, and says nothing against the instance',
  async t => {
    const { call, instance } = await gateway(t)
    let ended = 0
    const busy = await instance((request, response) => {
      if (request.method === 'GET') return answer('here')(request, response)
      response.once('close', () => {
        ended += 1
      })
    })
    const LEAVING = 5
    const left = Array.from({ length: LEAVING }, () =>
      call('/api/v1/users', { method: 'PUT', signal: AbortSignal.timeout(300) })
    )
    const outcomes = await Promise.allSettled(left)
    t.ok(outcomes.every(({ status }) => status === 'rejected'))
    await until('the instance to be rid of them', () => ended === LEAVING)
    t.equal(busy.seen.filter(({ method }) => method === 'PUT').length, LEAVING)
    t.equal((await call('/api/v1/users')).text, 'here')
  }
)
