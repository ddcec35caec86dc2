/** What no HTTP client would send, over a plain connection. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'

async function origin(t: Test): Promise<URL> {
  const app = await openHttp({
    service: 'test',
    title: 'Test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 100,
    missing: () => []
  })
  t.teardown(() => app.close())
  return new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
}

async function answerTo(bytes: string, { hostname, port }: URL) {
  const socket = connect(Number(port), hostname)
  socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')))
  await once(socket, 'connect')
  socket.write(bytes)
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), ...JSON.parse(body) }
}

t.test('what is no HTTP is refused with the error body', async t => {
  const url = await origin(t)
  const junk = [
    'FOO /livez HTTP/1.1\r\nhost: x\r\n\r\n',
    '\x16\x03\x01\x02\x00junk\r\n\r\n',
    'POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n'
  ]
  for (const bytes of junk) {
    const { status, code, message } = await answerTo(bytes, url)
    t.strictSame([status, code], [400, 'CONVOY_INVALID_REQUEST'], bytes)
    t.match(message, /^not an HTTP request: \w+/)
  }
})

t.test('a head that is too long is told so, however long it is', async t => {
  const url = await origin(t)
  for (const length of [100_000, 5_000_000]) {
    const request = `GET /${'x'.repeat(length)} HTTP/1.1\r\nhost: x\r\n\r\n`
    const { status, code } = await answerTo(request, url)
    t.strictSame([status, code], [431, 'CONVOY_HEADERS_TOO_LARGE'])
  }
})

t.test('what follows a request is refused behind its answer, and never in its place', async t => {
  const url = await origin(t)
  const all = async (bytes: string) => {
    const socket = connect(Number(url.port), url.hostname)
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')))
    await once(socket, 'connect')
    socket.write(bytes)
    return [...(await text(socket)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  }
  const livez = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
  t.strictSame(await all(`${livez}junk\r\n\r\n`), ['200', '400'])
  t.strictSame(await all(`${livez}${livez}junk\r\n\r\n`), ['200', '200', '400'])
  const post = 'POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
  t.strictSame(await all(`${post}junk\r\n`), ['404'], 'one answer to one request')
  const behind = await all(`${livez}${post}junk\r\n`)
  t.equal(behind[0], '200', 'the answer to the first')
})
