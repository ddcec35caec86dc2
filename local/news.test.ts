import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { followNews, newsOf } from './news.ts'

const PIDS = new Map([
  ['a', 11],
  ['b', 12]
])

t.test('a death, an election, a change of the in-sync set or of scale is one line each', t => {
  t.equal(
    newsOf({ type: 'workerLost', workerId: 'a', pid: 11, role: 'master' }, PIDS),
    'worker 11 (master) is gone'
  )
  t.equal(
    newsOf({ type: 'elected', term: 3, workerId: 'b', pid: 12, durationMs: 140 }, PIDS),
    'worker 12 is master of term 3 (after 140 ms)'
  )
  t.equal(
    newsOf({ type: 'inSync', term: 3, added: ['b'], removed: ['a'] }, PIDS),
    'worker 12 is in sync; writes wait no more for 11'
  )
  const reason = '61 reads in 120 s, 20 a replica'
  t.equal(
    newsOf({ type: 'scaled', policy: 'window', from: 2, to: 4, reason }, PIDS),
    '2 to 4 replicas (window: 61 reads in 120 s, 20 a replica)'
  )
  t.equal(newsOf({ type: 'leaderless', term: 3 }, PIDS), undefined)
  t.end()
})

t.test('a stream that ends is followed again, until the system is stopped', async t => {
  let streams = 0
  const server = createServer((request, reply) => {
    if (!request.url?.endsWith('/events')) return reply.end('{"workers":[{"id":"a","pid":11}]}')
    streams += 1
    const lost = { type: 'workerLost', workerId: 'a', pid: streams, role: 'replica' }
    // Cut in the middle of an event, as a network may.
    reply.write(': connected\n\nevent: workerLost\nda')
    return setTimeout(() => reply.end(`ta: ${JSON.stringify(lost)}\n\n`), 10)
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stopping = new AbortController()
  const said: string[] = []
  const say = (line: string) => {
    if (said.push(line) === 2) stopping.abort()
  }
  const stopped = AbortSignal.any([stopping.signal, AbortSignal.timeout(10_000)])
  await followNews({ urls: [url], say, stopped })
  t.strictSame(said, ['worker 1 (replica) is gone', 'worker 2 (replica) is gone'])
})
