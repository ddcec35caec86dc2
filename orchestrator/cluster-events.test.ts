import t from 'tap'
import { decidedByWindow } from '../testing/fixtures/scaling.ts'
import type { WorkerNode, WorkerRole } from '../wire/znodes.ts'
import { observe } from './cluster-events.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'

interface Shown {
  readonly term: number
  readonly master: string | null
  readonly inSync?: readonly string[]
  /** Role and pid by worker. */
  readonly workers: Readonly<Record<string, readonly [WorkerRole, number]>>
}

function view({ term, master, workers, inSync = Object.keys(workers) }: Shown): Cluster {
  const nodes = Object.entries(workers).map(([id, [role, pid]]) => {
    return [id, { role, pid, term } as WorkerNode] as const
  })
  return {
    ...NOTHING_KNOWN,
    known: true,
    state: { clusterId: 'c', term, master, inSync },
    workers: new Map(nodes)
  }
}

const WELL = view({ term: 1, master: 'a', workers: { a: ['master', 1], b: ['replica', 2] } })

function seen(before: Cluster, after: Cluster, leaderlessSinceMs: number | null = null) {
  return observe(before, after, { nowMs: 500, leaderlessSinceMs })
}

t.test('the first view is no event', async t => {
  t.strictSame(seen(NOTHING_KNOWN, WELL).events, [])
  t.strictSame(seen(WELL, WELL).events, [])
})

t.test(
  'a failover is told from the loss of the master to the election, with its duration',
  async t => {
    const lost = view({ term: 1, master: 'a', inSync: ['a', 'b'], workers: { b: ['replica', 2] } })
    const first = seen(WELL, lost)
    t.strictSame(first, {
      events: [
        { type: 'workerLost', workerId: 'a', pid: 1, role: 'master' },
        { type: 'leaderless', term: 1 }
      ],
      leaderlessSinceMs: 500
    })
    const elected = view({ term: 2, master: 'b', workers: { b: ['master', 2] } })
    t.strictSame(seen(lost, elected, 80), {
      events: [
        { type: 'role', workerId: 'b', from: 'replica', to: 'master', term: 2 },
        { type: 'inSync', term: 2, added: [], removed: ['a'] },
        { type: 'elected', term: 2, workerId: 'b', pid: 2, durationMs: 420 }
      ],
      leaderlessSinceMs: null
    })
  }
)

t.test('a worker that came back with another pid was lost and started', async t => {
  const after = view({ term: 1, master: 'a', workers: { a: ['master', 1], b: ['replica', 9] } })
  t.strictSame(
    seen(WELL, after).events.map(({ type }) => type),
    ['workerLost', 'workerStarted']
  )
})

t.test('a worker that joins is told when it starts, and when it counts', async t => {
  const workers = { a: ['master', 1], b: ['replica', 2], c: ['joining', 3] } as const
  const joining = view({ term: 1, master: 'a', inSync: ['a', 'b'], workers })
  t.strictSame(seen(WELL, joining).events, [{ type: 'workerStarted', workerId: 'c', pid: 3 }])
  const joined = view({ term: 1, master: 'a', inSync: ['a', 'b', 'c'], workers })
  t.strictSame(seen(joining, joined).events, [
    { type: 'inSync', term: 1, added: ['c'], removed: [] }
  ])
})

t.test('a worker that differs is told at once, with what differs', async t => {
  const trouble = 'its rows are not those that the log speaks of: users'
  const b = { ...WELL.workers.get('b'), diverged: true, trouble } as WorkerNode
  const differs = { ...WELL, workers: new Map(WELL.workers).set('b', b) }
  t.strictSame(seen(WELL, differs).events, [{ type: 'diverged', workerId: 'b', pid: 2, trouble }])
  t.strictSame(seen(differs, differs).events, [])
})

t.test(
  'another number of replicas is told with its reason, a decision to keep it is not',
  async t => {
    const decided = (from: number, to: number): Cluster => ({
      ...WELL,
      scaling: decidedByWindow({ from, to, reason: 'r' })
    })
    t.strictSame(seen(decided(2, 2), decided(2, 4)).events, [
      { type: 'scaled', policy: 'window', from: 2, to: 4, reason: 'r' }
    ])
    t.strictSame(seen(decided(2, 4), decided(4, 4)).events, [])
    t.strictSame(seen(WELL, decided(2, 2)).events, [])
  }
)

t.test("an operator's recovery is an event, once", async t => {
  const chosen = view({ term: 5, master: null, inSync: ['b'], workers: { b: ['fenced', 2] } })
  const { events } = seen({ ...chosen, state: null }, chosen)
  t.strictSame(events[0], { type: 'recovered', term: 5, inSync: ['b'] })
  t.strictSame(seen(chosen, chosen).events, [])
})

t.test(
  'that another orchestrator supervises is told, with its pid where that is known',
  async t => {
    const node = { http: 'http://a', pid: 7, startTime: '1', pidSpace: 'here' }
    const by = (supervisor: string | null): Cluster => ({
      ...WELL,
      ...{ supervisor, orchestrators: new Map([['o', node]]) }
    })
    t.strictSame(seen(by(null), by('o')).events, [
      { type: 'supervises', orchestratorId: 'o', pid: 7 }
    ])
    t.strictSame(seen(by('o'), by('p')).events, [
      { type: 'supervises', orchestratorId: 'p', pid: null }
    ])
    t.strictSame(seen(by('o'), by(null)).events, [])
  }
)

t.test('a request that was refused as harmful is named once', async t => {
  const naming = (cluster: Cluster, id: string, harmful: readonly string[]): Cluster => {
    const workers = new Map(cluster.workers)
    workers.set(id, { ...(workers.get(id) as WorkerNode), harmful })
    return { ...cluster, workers }
  }
  const one = naming(WELL, 'a', ['x'])
  t.strictSame(seen(WELL, one).events, [{ type: 'harmful', requestId: 'x', workerId: 'a' }])
  t.strictSame(seen(one, one).events, [])
  const two = naming(naming(one, 'a', ['x', 'y']), 'b', ['x'])
  t.strictSame(seen(one, two).events, [{ type: 'harmful', requestId: 'y', workerId: 'a' }])
})

t.test('a harmful read is named by the orchestrator that refused it', async t => {
  const node = { http: 'http://o', pid: 7, startTime: '', pidSpace: '' }
  const naming = (harmful: readonly string[]): Cluster => {
    return { ...WELL, orchestrators: new Map([['o', { ...node, harmful }]]) }
  }
  const named = { type: 'harmful', requestId: 'x', orchestratorId: 'o' }
  t.strictSame(seen(naming([]), naming(['x'])).events, [named])
  t.strictSame(seen(naming(['x']), naming(['x'])).events, [])
})
