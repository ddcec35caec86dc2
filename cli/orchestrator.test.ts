import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type Call, Orchestrators } from './orchestrator.ts'
import { EXIT } from './outcome.ts'

const NOBODY = 'http://127.0.0.1:9'
const CRASH: Call = { method: 'POST', path: '/api/v1/crash/master' }
const LOOK: Call = { method: 'GET', path: '/api/v1/cluster' }

const does: RequestListener = (_request, reply) => reply.end('{"done":true}')
/** As one that dies while it works. */
const dies: RequestListener = request => request.socket.destroy()
/** As one that was stopped by SIGSTOP. */
const standsStill: RequestListener = () => undefined
const refuses =
  (status: number, code: string): RequestListener =>
  (_request, reply) => {
    reply.statusCode = status
    reply.end(JSON.stringify({ code, message: 'no' }))
  }

/** Orchestrators that behave so, and how often each was called. */
async function those(t: Test, ...behaviours: readonly RequestListener[]) {
  const calls = behaviours.map(() => 0)
  const urls: string[] = []
  for (const [at, behaviour] of behaviours.entries()) {
    const server = createServer((request, reply) => {
      calls[at] = (calls[at] ?? 0) + 1
      behaviour(request, reply)
    })
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }
  return { calls, urls }
}

t.test('what was sent and not answered is unknown, and not sent to another', async t => {
  const { calls, urls } = await those(t, dies, does)
  await t.rejects(new Orchestrators({ urls }).call(CRASH), {
    exitCode: EXIT.unknownOutcome,
    message: /has not answered/
  })
  t.strictSame(calls, [1, 0])
  const slow = await those(t, standsStill, does)
  const inTime = { ...CRASH, timeoutMs: 300 }
  await t.rejects(new Orchestrators(slow).call(inTime), {
    exitCode: EXIT.unknownOutcome,
    message: /not answered/
  })
  t.strictSame(slow.calls, [1, 0])
})

t.test('what is the same when it is done twice is sent to another', async t => {
  const twice: readonly Partial<Call>[] = [
    { method: 'GET' },
    { method: 'PUT' },
    { idempotencyKey: 'once' },
    { reads: true }
  ]
  for (const more of twice) {
    const { calls, urls } = await those(t, dies, does)
    t.strictSame(await new Orchestrators({ urls }).call({ ...CRASH, ...more }), { done: true })
    t.strictSame(calls, [1, 1])
  }
})

t.test('what never was sent is sent to another', async t => {
  const { calls, urls } = await those(t, does)
  const orchestrators = new Orchestrators({ urls: [NOBODY, ...urls] })
  t.strictSame(await orchestrators.call(CRASH), { done: true })
  t.equal(orchestrators.url, urls[0], 'it is asked first from now on')
  await orchestrators.call(CRASH)
  t.strictSame(calls, [2])
  // Speaking TLS to it fails before anything is said.
  const wrong = (urls[0] ?? '').replace('http:', 'https:')
  const nowhere = new Orchestrators({ urls: [wrong, NOBODY] })
  await t.rejects(nowhere.call(CRASH), { exitCode: EXIT.unreachable, message: /no orchestrator/ })
  t.strictSame(calls, [2])
})

t.test('an outcome that is unknown stays so when nobody is left to ask', async t => {
  const { urls } = await those(t, dies)
  const change: Call = { method: 'PUT', path: '/api/v1/cluster/replicas' }
  const lost = new Orchestrators({ urls: [...urls, NOBODY] })
  await t.rejects(lost.call(change), { exitCode: EXIT.unknownOutcome, message: /not answered/ })
  const looking = new Orchestrators({ urls: [...urls, NOBODY] })
  await t.rejects(looking.call(LOOK), { exitCode: EXIT.unreachable, message: /no orch/ })
})

t.test('others are asked when one is frozen, and not when it refuses', async t => {
  const frozen = refuses(503, 'CONVOY_FROZEN')
  const { calls, urls } = await those(t, frozen, does)
  t.strictSame(await new Orchestrators({ urls }).call(CRASH), { done: true })
  t.strictSame(calls, [1, 1])
  const alone = await those(t, frozen)
  const all = new Orchestrators({ urls: [...alone.urls, NOBODY] })
  await t.rejects(all.call(CRASH), { exitCode: EXIT.failed, code: 'CONVOY_FROZEN' })
  const refused = await those(t, refuses(409, 'CONVOY_NO_SUCH_WORKER'), does)
  await t.rejects(new Orchestrators(refused).call(CRASH), { code: 'CONVOY_NO_SUCH_WORKER' })
  t.strictSame(refused.calls, [1, 0])
})

t.test('a stream comes from one that begins to answer, and the next from another', async t => {
  const { calls, urls } = await those(t, standsStill, does, does)
  const orchestrators = new Orchestrators({ urls })
  const signal = AbortSignal.timeout(20_000)
  const open = () => orchestrators.stream('/', { signal, silentMs: 5_000, answerMs: 300 })
  t.equal(await new Response(await open()).text(), '{"done":true}')
  await (await open()).cancel()
  t.strictSame(calls, [1, 1, 1])
})
