import t from 'tap'
import type { WorkerNode, WorkerRole } from '../../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from '../cluster-view.ts'
import type { Place } from '../runtimes/runtime.ts'
import { going } from './leaving.ts'

interface Worker {
  readonly role?: WorkerRole
  /** Minute of its start. */
  readonly since?: number
  readonly pid?: number | null
  readonly named?: boolean
}

/** Worker m leads; a place for each. */
function system(workers: Readonly<Record<string, Worker>>, leaving: readonly string[] = []) {
  const all = Object.entries({ m: { role: 'master' }, ...workers } as Record<string, Worker>)
  const nodes = all.map(([id, { role = 'replica', since = 0 }]) => {
    const at = new Date(since * 60_000).toISOString()
    return [id, { role, term: 1, since: at } as WorkerNode] as const
  })
  const cluster: Cluster = {
    ...NOTHING_KNOWN,
    state: {
      ...{ clusterId: 'c', term: 1, master: 'm' },
      inSync: all.filter(([, { named = true }]) => named).map(([id]) => id)
    },
    workers: new Map(nodes),
    wishes: { leaving, handoverOf: null }
  }
  const places = all.map(([id, { pid = 1 }]): Place => ({ name: `p-${id}`, workerId: id, pid }))
  return { cluster, places }
}

const names = (places: readonly Place[]) => places.map(({ name }) => name)

t.test('nobody goes while nobody is too many', async t => {
  t.strictSame(going(system({ a: {}, b: {} }), 0), { now: [], leaving: [] })
  t.strictSame(going(system({ a: {} }), -2), { now: [], leaving: [] })
})

t.test(
  'the youngest leaves first, then the one with the highest pid; never the master',
  async t => {
    t.strictSame(going(system({ a: { since: 1 }, b: { since: 3 }, c: { since: 2 } }), 1).leaving, [
      'b'
    ])
    t.strictSame(going(system({ a: { pid: 7 }, b: { pid: 9 }, c: { pid: 8 } }), 1).leaving, ['b'])
    t.strictSame(going(system({}), 3), { now: [], leaving: [] })
  }
)

t.test('one at a time', async t => {
  t.strictSame(going(system({ a: {}, b: {}, c: {} }), 3).leaving, ['a'])
})

t.test('who was asked goes on leaving, whoever is younger by now', async t => {
  const { leaving } = going(system({ a: { since: 1 }, b: { since: 2 } }, ['a']), 1)
  t.strictSame(leaving, ['a'])
})

t.test('one that serves nobody goes before one that does', async t => {
  const joining = { role: 'joining', named: false } as const
  t.strictSame(going(system({ a: joining, b: { since: 5 } }), 1).leaving, ['a'])
  const dead = going(system({ a: { pid: null, named: false }, b: {} }), 1)
  t.strictSame([names(dead.now), dead.leaving], [['p-a'], []])
})

t.test('one that has left is ended, and the next one asked', async t => {
  const left = { role: 'left', named: false } as const
  const { now, leaving } = going(system({ a: left, b: {}, c: { since: 1 } }, ['a']), 2)
  t.strictSame(names(now), ['p-a'])
  t.strictSame(leaving, ['a', 'c'], 'it stays wished away until it is gone')
})

t.test('one that /state names is not ended, whatever it says of itself', async t => {
  const { now, leaving } = going(system({ a: { role: 'left' } }, ['a']), 1)
  t.strictSame([names(now), leaving], [[], ['a']])
})

t.test('one that froze while it left is not waited for for ever', async t => {
  const { cluster, places } = system({ a: { named: false }, b: {} }, ['a'])
  t.strictSame(names(going({ cluster, places }, 1).now), [], 'its session lives')
  const silent = new Map([...cluster.workers].filter(([id]) => id !== 'a'))
  t.strictSame(names(going({ cluster: { ...cluster, workers: silent }, places }, 1).now), ['p-a'])
})

t.test('a copy that is not whole yet goes at once', async t => {
  const { cluster, places } = system({ a: {} })
  const copying: Place = { name: 'p-new', workerId: null, pid: 5 }
  const { now, leaving } = going({ cluster, places: [...places, copying] }, 1)
  t.strictSame([names(now), leaving], [['p-new'], []])
})

t.test('while nobody leads, wishes stay as they are', async t => {
  const { cluster, places } = system({ a: {}, b: {} }, ['b'])
  const leaderless: Cluster = {
    ...cluster,
    workers: new Map([...cluster.workers].filter(([id]) => id !== 'm'))
  }
  t.strictSame(going({ cluster: leaderless, places }, 2).leaving, ['b'])
})
