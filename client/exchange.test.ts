import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { Exchange } from './exchange.ts'

async function poolTo(t: Test, listener: RequestListener): Promise<Pool> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 1 })
  t.teardown(async () => {
    await pool.destroy()
    server.closeAllConnections()
    server.close()
  })
  return pool
}

function ask(pool: Pool, timeoutMs = 5_000) {
  const exchange = new Exchange(timeoutMs)
  pool.dispatch({ method: 'GET', path: '/' }, exchange)
  return exchange.outcome
}

t.test('an answer is told when it is whole, however it came', async t => {
  const euro = Buffer.from('€')
  const pool = await poolTo(t, (_request, response) => {
    response.writeEarlyHints({ link: '</x>; rel=preload' })
    response.writeHead(503, { 'retry-after': '7' })
    response.write(euro.subarray(0, 1))
    setImmediate(() => response.end(euro.subarray(1)))
  })
  const answer = await ask(pool)
  t.match(answer, { kind: 'answer', status: 503, text: '€', retryAfterS: 7 })
})

t.test(
  'a connection that ends before the answer does is a failure, and may have got it',
  async t => {
    const pool = await poolTo(t, (_request, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write('half', () => response.destroy())
    })
    t.match(await ask(pool), { kind: 'failed', sent: true })
  }
)

t.test('nobody got what was refused a connection', async t => {
  const pool = new Pool('http://127.0.0.1:1')
  t.teardown(() => pool.destroy())
  t.match(await ask(pool), { kind: 'failed', sent: false, cause: { code: 'ECONNREFUSED' } })
})

t.test('a silent server is given up in time, and so is what waits for its connection', async t => {
  const pool = await poolTo(t, () => {})
  const startedMs = performance.now()
  const outcomes = await Promise.all([ask(pool, 60), ask(pool, 30)])
  t.ok(performance.now() - startedMs < 2_000)
  t.match(outcomes, [
    { kind: 'failed', cause: { message: 'no answer within 60 ms' } },
    { kind: 'failed', cause: { message: 'no answer within 30 ms' } }
  ])
})

t.test('a call that was given up while it waited is not sent after all', async t => {
  const seen: (string | undefined)[] = []
  const pool = await poolTo(t, (request, response) => {
    seen.push(request.url)
    setTimeout(() => response.end('late'), 100)
  })
  const [first, second] = await Promise.all([ask(pool), ask(pool, 20)])
  t.match([first, second], [{ kind: 'answer', text: 'late' }, { kind: 'failed' }])
  t.match(await ask(pool), { kind: 'answer' })
  t.equal(seen.length, 2)
})
