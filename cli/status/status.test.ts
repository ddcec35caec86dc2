import t from 'tap'
import { frameOf } from './screen.ts'
import { type Sight, seen } from './sight.ts'
import { statusText } from './text.ts'

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

const worker = (pid: number, role: 'master' | 'replica', lag: number) => ({
  ...{ id: `w${pid}`, pid, host: 'h', role, term: 4, inSync: true, index: 90 - lag, lag },
  ...{ readsPerS: 12, cpuPercent: 3, memoryMiB: 80, reachesAmqp: true, diverged: false },
  ...{ trouble: null, since: '2026-11-22T11:00:00Z' }
})

const LOOK = {
  cluster: {
    ...{ clusterId: 'c', term: 4, master: 'w7', inSync: ['w7', 'w8', 'w9'], minCopies: 2 },
    ...{ stuck: null, keepDiverged: false, commitIndex: 88 },
    workers: [worker(7, 'master', 0), worker(8, 'replica', 2)],
    replicas: { count: null, min: 2, max: 5, wanted: 3, actual: 1 },
    policy: {
      ...{ kind: 'window', windowS: 120, readsPerReplica: 20, readsPerS: 1_000, coolDownS: 60 },
      decision: {
        ...{ at: '2026-11-22T11:59:48Z', policy: 'window', from: 2, to: 3 },
        reason: '60 reads in 120 s'
      },
      rule: 'one replica for 20 reads in 120 s, 2 to 5 replicas',
      reads: 17,
      next: '2026-11-22T12:00:48Z'
    },
    supervisor: 'o1',
    orchestrators: [{ id: 'o1', http: 'http://127.0.0.1:1', pid: 5 }]
  },
  instances: [
    { id: 'o1', service: 'orchestrator', pid: 5, frozen: false },
    { id: 'l1', service: 'lb', pid: 6, frozen: true },
    { id: 'w7', service: 'worker', pid: 7, frozen: false },
    { id: 'w8', service: 'worker', pid: 8, frozen: true }
  ],
  broker: { up: true },
  lanes: { depths: {}, unanswered: { writes: 3, reads: 4 } }
}

const SAMPLE = {
  ...{ atMs: NOW_MS, readsPerS: 340, writesPerS: 25.5, failedPerS: 0 },
  ...{ readP50Ms: 2.1, readP99Ms: 9.9, writeP50Ms: 5, writeP99Ms: 21 },
  ...{ replicasWanted: 3, replicasInSync: 1, lag: 2 },
  ...{ writeQueue: 11, strongQueue: 0, readQueue: 6, waiting: 0 }
}

const ELECTED = {
  ...{ type: 'elected', term: 4, workerId: 'w7', pid: 7, durationMs: 104 },
  at: '2026-11-22T11:59:30Z'
}

const events = [
  {
    type: 'history',
    data: JSON.stringify({
      samples: Object.fromEntries(
        Object.entries(SAMPLE).map(([name, value]) => [name, [0, value]])
      ),
      timeline: []
    })
  },
  { type: 'cluster', data: JSON.stringify(LOOK) },
  { type: 'happening', data: JSON.stringify(ELECTED) },
  { type: 'unknown', data: '{}' }
]
const sight = events.reduce((before, event) => seen(before, event), {} as Partial<Sight>) as Sight

t.test('what is streamed is put together, the last sample of those kept first', async t => {
  t.strictSame(sight.sample, SAMPLE)
  t.equal(sight.happenings.length, 1)
  const later = seen(sight, { type: 'sample', data: JSON.stringify({ ...SAMPLE, lag: 0 }) })
  t.equal(later.sample?.lag, 0)
})

t.test('one screen has all that an operator asks first', async t => {
  const text = statusText(sight, NOW_MS)
  for (const part of [
    'term 4   master 7 (w7)   2 of 3 in sync   index 88',
    '1 of 3 wanted replicas (policy window, 2 to 5)',
    'window: one replica for 20 reads in 120 s, 2 to 5 replicas',
    '2 to 3 (60 reads in 120 s)',
    'writes     26  5.0 ms   21 ms     11           3',
    'reads     340  2.1 ms  9.9 ms      6           4',
    'next decision: in 48 s',
    'processes  orchestrator 5 (supervises)   lb 6 (frozen)   worker 8 (frozen)',
    'term 4: worker 7, after 104 ms without a master'
  ]) {
    t.ok(text.includes(part), part, { text })
  }
  t.ok(text.split('\n').length <= 40)
})

t.test('what stops the cluster stands at the top', async t => {
  const stuck = { why: 'inSyncGone' as const, message: 'every in-sync worker is gone', missing: [] }
  const cluster = { ...sight.cluster, master: null, stuck }
  const lines = statusText({ ...sight, cluster }, NOW_MS).split('\n')
  t.match(lines[0], 'no master')
  t.match(lines[1], 'STUCK: every in-sync worker is gone')
})

t.test('a frame is written over the one before it, and never scrolls', async t => {
  t.equal(frameOf('a\nb\nc', 2), '\x1b[Ha\x1b[K\nb\x1b[K\x1b[J')
  t.match(frameOf('a\nb\nc', 0), 'c', 'a terminal that does not know its size')
})

t.test('what is kept since a recovery is shown, with its size and how to remove it', async t => {
  const kept = { ...worker(9, 'replica', 0), diverged: true, inSync: false, keptMiB: 1_536 }
  const workers = [...sight.cluster.workers, kept] as Sight['cluster']['workers']
  const shown = statusText({ ...sight, cluster: { ...sight.cluster, workers } }, NOW_MS)
  t.match(shown, /kept since a recovery.*worker 9 \(w9\), 1536 MiB/)
  t.match(shown, 'convoy recover --forget')
  t.notMatch(statusText(sight, NOW_MS), 'kept since')
})
