import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'
import type { Place } from './runtimes/runtime.ts'
import {
  decide,
  died,
  joinerOf,
  type Past,
  type Situation,
  silentOf,
  started,
  wantsSpare
} from './supervisor.ts'

const node = (fields: Partial<WorkerNode> = {}): WorkerNode => ({
  pid: 1,
  clusterId: 'c',
  host: 'h',
  container: null,
  role: 'replica',
  term: 1,
  last: { index: 1, term: 1 },
  clone: null,
  reachesAmqp: true,
  trouble: null,
  diverged: false,
  yields: false,
  needsFrom: null,
  since: '',
  figures: { applied: 1, readsPerS: 0, cpuPercent: 0, memoryMiB: 0 },
  ...fields
})

function cluster(workers: Record<string, WorkerNode>, inSync = Object.keys(workers)): Cluster {
  const master = Object.keys(workers).find(id => workers[id]?.role === 'master') ?? null
  return {
    ...NOTHING_KNOWN,
    state: { clusterId: 'c', term: inSync.length === 0 ? 0 : 1, master, inSync },
    workers: new Map(Object.entries(workers)),
    supervisor: 'me',
    known: true
  }
}

/** Workers a (master), b and c, the youngest, in places of the same names, all running. */
const THREE = cluster({ a: node({ role: 'master' }), b: node(), c: node({ since: '2026' }) })
const place = (name: string, fields: Partial<Place> = {}): Place => ({
  name,
  workerId: name,
  pid: 7,
  ...fields
})
const RUNNING = ['a', 'b', 'c'].map(name => place(name))

function actions(situation: Partial<Situation>): string[] {
  const decided = decide({
    nowMs: 100_000,
    wanted: 3,
    places: RUNNING,
    past: new Map(),
    silent: new Map(),
    cluster: THREE,
    brokerUp: true,
    ...situation
  })
  return decided.map(action => {
    if (action.kind === 'wish') return `leave ${action.leaving.join(' ')}`.trim()
    return 'name' in action ? `${action.kind} ${action.name}` : action.kind
  })
}

const diedOften = (name: string, quickDeaths: number, diedAtMs: number): Map<string, Past> =>
  new Map([[name, { startedAtMs: 0, diedAtMs, quickDeaths }]])

t.test('nothing is done while ZooKeeper has not told anything, or there is no cluster', async t => {
  t.strictSame(actions({ cluster: { ...THREE, known: false }, places: [] }), [])
  t.strictSame(actions({ cluster: { ...THREE, state: null }, places: [] }), [])
})

t.test('without /state, those with data are started to show it, and nothing else', async t => {
  const places = [place('a', { pid: null }), place('b'), place('n', { workerId: null, pid: null })]
  t.strictSame(actions({ cluster: { ...THREE, state: null }, places }), ['start a'])
  t.strictSame(actions({ cluster: cluster({}), places }), ['start a'], 'nor over another cluster')
})

t.test(
  'no data is thrown away while a worker doubts ZooKeeper, or an operator wants it',
  async t => {
    const c = node({ diverged: true })
    const led = cluster({ a: node({ role: 'master' }), b: node(), c }, ['a', 'b'])
    const four = [...RUNNING, place('d'), place('e', { pid: null })]
    t.strictSame(actions({ cluster: led, places: four }), ['discard c', 'discard e'])
    const doubted = { ...led, workers: new Map([...led.workers, ['d', node({ role: 'fenced' })]]) }
    t.strictSame(actions({ cluster: doubted, places: four }), ['start e'])
    const kept = { ...led, state: led.state && { ...led.state, keepDiverged: 2 } }
    t.strictSame(actions({ cluster: kept, places: RUNNING }), ['create'], 'but it is replaced')
    t.strictSame(actions({ cluster: kept, places: four }), ['start e'])
    t.strictSame(actions({ wanted: 2, cluster: kept, places: RUNNING }), [], 'nor sent away')
    const since = new Map(kept.workers).set(
      'c',
      node({ diverged: true, last: { index: 9, term: 3 } })
    )
    const later = { ...kept, workers: since }
    const discards = ['discard c', 'create']
    t.strictSame(actions({ cluster: later, places: RUNNING }), discards, 'it diverged since')
    const sound = {
      ...later,
      workers: new Map(since).set('c', node({ last: { index: 9, term: 3 } }))
    }

    t.strictSame(
      actions({
        wanted: 2,
        cluster: sound,
        places: [...RUNNING.slice(0, 2), place('c', { pid: null })]
      }),
      ['discard c']
    )
  }
)

t.test('one that is kept, and dies at once again and again, is replaced', async t => {
  const two = cluster({ a: node({ role: 'master' }) }, ['a', 'b'])
  const places = [place('a'), place('b', { pid: null })]
  const past = diedOften('b', 5, 99_999)
  t.strictSame(actions({ wanted: 2, places, past, cluster: two }), ['create'])
})

t.test('a new cluster is founded by one worker', async t => {
  const fresh = cluster({})
  t.strictSame(actions({ cluster: fresh, places: [] }), ['create'])
  const founder = place('f', { workerId: null })
  t.strictSame(actions({ cluster: fresh, places: [founder] }), [])
  t.strictSame(actions({ cluster: fresh, places: [{ ...founder, pid: null }] }), ['start f'])
})

t.test('the others follow when the founder leads', async t => {
  const one = [place('a')]
  t.strictSame(actions({ cluster: cluster({ a: node() }), places: one }), [])
  const led = cluster({ a: node({ role: 'master' }) })
  t.strictSame(actions({ cluster: led, places: one }), ['create', 'create'])
  t.strictSame(
    actions({ cluster: led, places: [...one, place('b', { workerId: null })] }),
    ['create'],
    'one that still copies counts'
  )
})

t.test('a restart starts every place at once, whoever leads or does not', async t => {
  const places = RUNNING.map(one => ({ ...one, pid: null }))
  const asleep = { ...THREE, workers: new Map() }
  t.strictSame(actions({ cluster: asleep, places }), ['start a', 'start b', 'start c'])
})

t.test('a worker that died is started again at once, on its data', async t => {
  const places = [place('a'), place('b'), place('c', { pid: null })]
  t.strictSame(actions({ places }), ['start c'])
})

t.test('a failover comes before the start of the dead one, unless it is needed', async t => {
  const places = [place('a'), place('b'), place('c', { pid: null })]
  const past = (deadMs: number) => diedOften('c', 0, 100_000 - deadMs)
  const led = node({ role: 'master' })
  const two = cluster({ a: led, b: node() }, ['a', 'b', 'c'])
  t.strictSame(actions({ places, past: past(299), cluster: two }), [])
  t.strictSame(actions({ places, past: past(300), cluster: two }), ['start c'])
  const one = cluster({ a: led }, ['a', 'c'])
  t.strictSame(actions({ places, past: past(0), cluster: one }), ['start c'])
  const shown = cluster({ a: led, c: node() }, ['a', 'c'])
  const held = actions({ places, past: past(0), cluster: shown })
  t.strictSame(held, ['start c'], 'its znode is still to go')
})

t.test('one that dies at once, and again, waits twice as long each time', async t => {
  const places = [place('a'), place('b'), place('c', { pid: null })]
  const waits = (quickDeaths: number, sinceMs: number) =>
    actions({ places, past: diedOften('c', quickDeaths, 100_000 - sinceMs) }).length === 0
  t.strictSame(
    [waits(1, 300), waits(2, 499), waits(2, 500), waits(3, 999), waits(3, 1_000), waits(4, 1_999)],
    [false, true, false, true, false, true]
  )
})

t.test('one that dies at once again and again is replaced, if nothing rests on it', async t => {
  const places = [place('a'), place('b'), place('c', { pid: null })]
  const past = diedOften('c', 5, 99_999)
  const two = cluster({ a: node({ role: 'master' }), b: node() })
  t.strictSame(actions({ places, past, cluster: two }), ['discard c', 'create'])
  t.strictSame(actions({ places, past }), ['create'], '/state names it: its data is kept')
  t.strictSame(actions({ places, past, cluster: two, brokerUp: false }), [])
})

t.test(
  'a diverged worker is replaced at once, and its data kept while /state names it',
  async t => {
    const diverged = node({ diverged: true })
    const named = cluster({ a: node({ role: 'master' }), b: node(), c: diverged })
    t.strictSame(actions({ cluster: named }), ['create'])
    t.strictSame(actions({ cluster: named, places: [...RUNNING, place('d')] }), [])
    const removed = cluster({ a: node({ role: 'master' }), b: node(), c: diverged }, ['a', 'b'])
    t.strictSame(actions({ cluster: removed, places: [...RUNNING, place('d')] }), ['discard c'])
  }
)

t.test('a place too many is removed at once where nothing rests on it', async t => {
  const dead = place('d', { pid: null })
  t.strictSame(actions({ places: [...RUNNING, dead] }), ['discard d'])
  const copying = place('d', { workerId: null })
  t.strictSame(actions({ places: [...RUNNING, copying] }), ['discard d'])
})

t.test('one that serves is asked to leave, and removed when it has left', async t => {
  t.strictSame(actions({ wanted: 2 }), ['leave c'])
  const wished = { ...THREE, wishes: { leaving: ['c'], handoverOf: null } }
  t.strictSame(actions({ wanted: 2, cluster: wished }), [], 'it is on its way')
  const members = { a: node({ role: 'master' }), b: node(), c: node({ role: 'left' }) }
  const left = { ...wished, ...cluster(members, ['a', 'b']), wishes: wished.wishes }
  t.strictSame(actions({ wanted: 2, cluster: left }), ['discard c'])
  const gone = { ...left, workers: new Map([...left.workers].slice(0, 2)) }
  t.strictSame(actions({ wanted: 2, cluster: gone, places: RUNNING.slice(0, 2) }), ['leave'])
})

t.test('one that is wanted after all is not asked any more', async t => {
  const wished = { ...THREE, wishes: { leaving: ['c'], handoverOf: null } }
  t.strictSame(actions({ cluster: wished }), ['leave'])
})

t.test('only deaths soon after the start count as at once', async t => {
  const first = died(started(undefined, 1_000), 2_000)
  t.equal(first.quickDeaths, 1)
  const second = died(started(first, 3_000), 4_000)
  t.equal(second.quickDeaths, 2)
  t.equal(died(started(second, 5_000), 60_000).quickDeaths, 0)
  t.equal(died(undefined, 60_000).quickDeaths, 0, 'adopted')
})

t.test('one that runs and is not heard is replaced, and is one too many when it wakes', async t => {
  const two = cluster({ a: node({ role: 'master' }), b: node() })
  const heard = silentOf(new Map(), { places: RUNNING, workers: two.workers, nowMs: 80_000 })
  t.strictSame([...heard], [['c', 80_000]])
  t.strictSame(actions({ cluster: two, silent: heard, nowMs: 94_999 }), [])
  const later = silentOf(heard, { places: RUNNING, workers: two.workers, nowMs: 95_000 })
  t.strictSame(actions({ cluster: two, silent: later, nowMs: 95_000 }), ['create'])
  const woken = silentOf(later, { places: RUNNING, workers: THREE.workers, nowMs: 96_000 })
  const four = cluster({ ...Object.fromEntries(THREE.workers), d: node() })
  const places = [...RUNNING, place('d')]
  t.strictSame(actions({ cluster: four, places, silent: woken }), ['leave c'])
})

t.test('one that falls silent while it copies is killed and replaced', async t => {
  const three = cluster({ a: node({ role: 'master' }), b: node() })
  const places = [place('a'), place('b'), place('n', { workerId: null, pid: 77 })]
  const look = (silent: Map<string, number>, nowMs: number, workers = three.workers) =>
    new Map(silentOf(silent, { places, workers, nowMs }))
  const copying = new Map([...three.workers, ['x', node({ role: 'joining', pid: 77 })]])
  t.strictSame([...look(new Map(), 60_000, copying)], [])
  const silent = look(new Map(), 61_000)
  t.strictSame([...silent], [['n', 61_000]])
  const at = (nowMs: number) => actions({ cluster: three, places, silent, nowMs })
  t.strictSame(at(75_999), [])
  t.strictSame(at(90_999), ['create'], 'another joins beside it')
  t.strictSame(at(91_000), ['discard n', 'create'])
  const leaderless = cluster({ b: node() })
  t.strictSame(actions({ cluster: leaderless, places, silent, nowMs: 99_000 }), [])
})

t.test('a worker that dies before it has data is known by its process', async t => {
  const workers = new Map([
    ['r', node({ pid: 5 })],
    ['x', node({ pid: 7, role: 'joining' })]
  ])
  const death = (pid: number) => ({ name: 'n', workerId: null, pid })
  t.equal(joinerOf(workers, death(7)), 'x')
  t.equal(joinerOf(workers, death(5)), null, 'not one that has data')
  t.equal(joinerOf(workers, death(9)), null)
})

t.test('a process is kept ready for the next start while a death would stop writes', t => {
  const two = cluster({ a: node({ role: 'master' }), b: node() })
  const all = ['a', 'b'].map(name => place(name))
  const past = (startedAtMs: number) => new Map([['b', { ...started(undefined, startedAtMs) }]])
  const spare = (situation: Partial<Situation>) =>
    wantsSpare({
      ...{ nowMs: 100_000, wanted: 2, places: all, past: past(0), silent: new Map() },
      ...{ cluster: two, brokerUp: true, ...situation }
    })
  t.equal(spare({}), true)
  t.equal(spare({ wanted: 3 }), false, 'not where a copy is to spare')
  t.equal(spare({ past: past(96_000) }), null, 'none is made in the middle of a start')
  t.equal(spare({ places: [place('a'), place('b', { pid: null })] }), null, 'nor let go of')
  t.equal(spare({ places: [place('a')] }), null)
  t.equal(spare({ cluster: cluster({ a: node({ role: 'master' }), b: node() }, ['a']) }), null)
  t.equal(spare({ cluster: cluster({ a: node(), b: node() }) }), null, 'nor in an election')
  t.end()
})
