import t from 'tap'
import type { WorkerNode } from '../../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from '../cluster-view.ts'
import { Leaderships } from './leadership.ts'

const node = (fields: Partial<WorkerNode>) =>
  ({ pid: 7, since: 'then', role: 'replica', term: 1, trouble: null, ...fields }) as WorkerNode

function cluster(term: number, master: string, workers: Record<string, WorkerNode>): Cluster {
  const state = { clusterId: 'c', term, master, inSync: [] }
  return { ...NOTHING_KNOWN, state, workers: new Map(Object.entries(workers)) }
}

const LED = cluster(1, 'a', { a: node({ role: 'master' }) })
const next = (a: Partial<WorkerNode>) => cluster(2, 'b', { a: node(a), b: node({}) })

t.test('a master is gone once it was seen to lead and does so no more', async t => {
  const leaderships = new Leaderships()
  t.equal(leaderships.look(cluster(1, 'a', {})).led, true, 'it may lead already')
  t.equal(leaderships.look(LED).led, true)
  t.equal(leaderships.look(cluster(1, 'a', {})).led, false)
  t.equal(leaderships.look(LED).led, true, 'it is back')
  t.equal(leaderships.look(next({})).led, true, 'the next one may lead already')
})

t.test('a master that leads no more, and lives on without trouble, gave up by itself', async t => {
  const orderly = (after: Cluster) => {
    const leaderships = new Leaderships()
    t.equal(leaderships.look(LED).orderly, false, 'one that was never seen may have had writes')
    return leaderships.look(after).orderly
  }
  t.equal(orderly(next({})), true)
  t.equal(orderly(next({ role: 'master' })), false, 'that it leads no more was not seen')
  t.equal(orderly(next({ role: 'master', term: 3 })), true, 'it leads again already')
  t.equal(orderly(next({ pid: 8 })), false, 'another process')
  t.equal(orderly(next({ since: 'now' })), false, 'another process with the same pid')
  t.equal(orderly(next({ trouble: 'its PostgreSQL does not answer' })), false)
  t.equal(orderly(cluster(2, 'b', { b: node({}) })), false)
  t.equal(orderly(cluster(3, 'b', { a: node({}), b: node({}) })), false, 'a term was not seen')
})
