import t from 'tap'
import type { WorkerNode } from '../../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from '../cluster-view.ts'
import { committedIn, sourceOf } from './source.ts'

const clone = { host: '127.0.0.1', port: 5_000 }
const node = (role: WorkerNode['role'], more: Partial<WorkerNode> = {}) =>
  ({
    role,
    clone,
    diverged: false,
    last: { index: 1, term: 1 },
    figures: { applied: 7 },
    ...more
  }) as WorkerNode
const state = { clusterId: 'c', term: 3, master: 'a', inSync: ['c', 'b', 'a'] }
const cluster = (workers: Record<string, WorkerNode>, frozen: string[] = []): Cluster => ({
  ...NOTHING_KNOWN,
  state,
  workers: new Map(Object.entries(workers)),
  config: {
    controls: { frozen: Object.fromEntries(frozen.map(id => [id, 'since'])) }
  } as unknown as Cluster['config']
})
const three = { a: node('master'), b: node('replica'), c: node('replica') }
const idOf = (...args: Parameters<typeof cluster>) => sourceOf(state, cluster(...args))?.workerId

t.test('a replica is copied, always the same one', async t => {
  t.equal(idOf(three), 'b')
  t.equal(idOf({ c: three.c, b: three.b, a: three.a }), 'b')
})

t.test('not one that is frozen, diverged, gone, or not in sync', async t => {
  t.equal(idOf(three, ['b']), 'c')
  t.equal(idOf({ ...three, b: node('replica', { diverged: true }) }), 'c')
  t.equal(idOf({ ...three, b: node('joining', { clone: null }) }), 'c')
  t.equal(idOf({ a: three.a, c: three.c, '0': node('replica') }), 'c')
})

t.test('the master where there is no replica; nobody where there is no master', async t => {
  t.equal(idOf(three, ['b', 'c']), 'a')
  t.equal(idOf({ b: node('candidate'), c: node('left') }), undefined)
  t.equal(idOf({}), undefined)
})

t.test('what all in-sync workers have is committed', async t => {
  const behind = node('replica', { figures: { applied: 5 } as WorkerNode['figures'] })
  t.equal(committedIn(state, cluster({ ...three, b: behind })), 5)
  t.equal(committedIn(state, cluster({ a: three.a, b: three.b })), 0, 'one is not known')
})
