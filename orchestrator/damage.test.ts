import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'
import { replaceable } from './damage.ts'

const pass = { read: 1, of: 1, passAt: null }
const worker = (damage: readonly string[] = [], diverged = false): WorkerNode =>
  ({ diverged, scrub: { pages: pass, entries: pass, damage } }) as unknown as WorkerNode

function cluster(workers: Record<string, WorkerNode>, more: Partial<Cluster> = {}): Cluster {
  const inSync = ['a', 'b', 'c', 'd', 'e'].filter(id => id in workers || id === 'c')
  const state = { clusterId: 'x', term: 1, master: 'a', inSync }
  return { ...NOTHING_KNOWN, state, workers: new Map(Object.entries(workers)), ...more }
}

t.test(
  'a damaged worker is replaced when most of the others are sound, the master too',
  async t => {
    const bad = worker(['page 7'])
    t.equal(replaceable(cluster({ a: worker(), b: worker(), c: worker() })), null)
    t.strictSame(replaceable(cluster({ a: bad, b: worker(), c: worker() })), {
      id: 'a',
      found: 'page 7'
    })
    t.equal(replaceable(cluster({ a: bad, b: worker(), c: worker([], true) })), null)
    t.equal(replaceable(cluster({ a: bad, b: worker() })), null, 'one is not registered')
    t.equal(replaceable(cluster({ a: bad, b: bad, c: worker() })), null)
  }
)

t.test('one at a time, until it has left the in-sync set', async t => {
  const bad = worker(['page 7'])
  const five = { a: bad, b: bad, c: worker(), d: worker(), e: worker() }
  t.equal(replaceable(cluster(five))?.id, 'a')
  const wishes = { leaving: [], handoverOf: null, wrong: { a: 'page 7' } }
  t.equal(replaceable(cluster(five, { wishes })), null)
  const { a: _gone, ...left } = five
  t.equal(replaceable(cluster(left, { wishes }))?.id, 'b')
})
