import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'
import { noteAbsences, stuckOf } from './stuck.ts'

const node = (role: WorkerNode['role'], fields: Partial<WorkerNode> = {}): WorkerNode =>
  ({ pid: 1, role, term: 3, last: { index: 9, term: 3 }, diverged: false, ...fields }) as WorkerNode

const cluster = (workers: Record<string, WorkerNode>, inSync = ['a', 'b']): Cluster => ({
  ...NOTHING_KNOWN,
  known: true,
  state: { clusterId: 'c', term: 3, master: 'a', inSync },
  workers: new Map(Object.entries(workers))
})

const LED = cluster({ a: node('master'), b: node('replica'), c: node('joining') })
const ALONE = cluster({ c: node('joining') })
const NONE = new Map()

t.test('a cluster with a master, or with somebody to elect, is not stuck', async t => {
  t.equal(stuckOf(LED, NONE, 0), null)
  t.equal(stuckOf(cluster({ b: node('replica') }), NONE, 0), null)
  t.equal(stuckOf(NOTHING_KNOWN, NONE, 0), null)
  t.equal(stuckOf({ ...ALONE, state: null }, NONE, 0), null, 'nor one that nobody has made')
})

t.test(
  'when every in-sync worker is gone it is said who, for how long, and what to do',
  async t => {
    const gone = noteAbsences(NONE, { before: LED, after: ALONE }, 1_000)
    const later = noteAbsences(gone, { before: ALONE, after: ALONE }, 2_000)
    const stuck = stuckOf(ALONE, later, 13_000)
    t.strictSame(stuck?.missing, [
      { id: 'a', goneForMs: 12_000, last: { index: 9, term: 3 } },
      { id: 'b', goneForMs: 12_000, last: { index: 9, term: 3 } }
    ])
    t.equal(stuck?.why, 'inSyncGone')
    t.match(
      stuck?.message,
      /a for 12 s, last seen at index 9 of term 3; b for 12 s.*npm run recover/
    )
  }
)

t.test('one that returns, or is named no more, is not missed any longer', async t => {
  const gone = noteAbsences(NONE, { before: LED, after: ALONE }, 1_000)
  const back = cluster({ b: node('replica'), c: node('joining') })
  t.strictSame([...noteAbsences(gone, { before: ALONE, after: back }, 2_000).keys()], ['a'])
  const removed = cluster({ b: node('master') }, ['b'])
  t.strictSame([...noteAbsences(gone, { before: ALONE, after: removed }, 2_000).keys()], [])
})

t.test('of workers that were never seen nothing is told but that they are gone', async t => {
  const never = noteAbsences(NONE, { before: NOTHING_KNOWN, after: ALONE }, 1_000)
  t.strictSame(stuckOf(ALONE, never, 3_000)?.missing[0], { id: 'a', goneForMs: 2_000, last: null })
})

t.test('a worker whose rows are in doubt is nobody to elect', async t => {
  const doubtful = cluster({ b: node('replica', { diverged: true }) })
  const gone = noteAbsences(NONE, { before: LED, after: doubtful }, 0)
  t.match(stuckOf(doubtful, gone, 0)?.message, /a for 0 s.*b differs/)
})

t.test('fenced workers and no master: ZooKeeper has lost its memory', async t => {
  const fenced = { ...cluster({ a: node('fenced'), b: node('fenced') }), state: null }
  t.equal(stuckOf(fenced, NONE, 0)?.why, 'memoryLost')
  const led = cluster({ a: node('master'), b: node('replica'), x: node('fenced') })
  t.equal(stuckOf(led, NONE, 0), null, 'one that remembers another cluster stops nobody')
})
