import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'
import { successors } from './handover.ts'

const node = (changes: Partial<WorkerNode> = {}) =>
  ({ role: 'replica', reachesAmqp: true, diverged: false, yields: false, ...changes }) as WorkerNode

const among = (workers: Record<string, WorkerNode>, inSync = Object.keys(workers)): Cluster => ({
  ...NOTHING_KNOWN,
  state: { clusterId: 'c', term: 1, master: 'm', inSync },
  workers: new Map(Object.entries(workers))
})

t.test('whoever is in sync and well could take over from the master', async t => {
  const workers = { m: node({ role: 'master' }), a: node(), b: node() }
  t.strictSame(successors(among(workers)), ['a', 'b'])
})

t.test('nobody could who is not in sync, cut off, diverged or about to leave', async t => {
  const workers = {
    m: node({ role: 'master' }),
    joining: node({ role: 'joining' }),
    cut: node({ reachesAmqp: false }),
    diverged: node({ diverged: true }),
    leaving: node({ yields: true })
  }
  t.strictSame(successors(among(workers)), [])
  t.strictSame(successors(among({ a: node() }, ['gone'])), [])
})
