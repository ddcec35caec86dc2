import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { chooseDonor } from './donor.ts'

const worker = (role: string, more: Partial<WorkerNode> = {}): WorkerNode =>
  ({ role, diverged: false, clone: { host: 'h', port: 1 }, ...more }) as WorkerNode

function chosen(
  workers: Readonly<Record<string, WorkerNode>>,
  { failures = {} as Record<string, number>, fromMaster = false, random = 0 } = {}
): string | null {
  const inSync = new Map(Object.entries(workers))
  const choice = { failures: new Map(Object.entries(failures)), fromMaster, random: () => random }
  return chooseDonor(inSync, choice)?.id ?? null
}

const m = worker('master')
const r = worker('replica')

t.test('a replica is copied, and the master where there is none', async t => {
  t.equal(chosen({ m, r }), 'r')
  t.equal(chosen({ m }), 'm')
  t.equal(chosen({}), null)
})

t.test('several replicas share the copies', async t => {
  t.equal(chosen({ m, r, s: r }, { random: 0.4 }), 'r')
  t.equal(chosen({ m, r, s: r }, { random: 0.6 }), 's')
})

t.test('one from which a copy failed comes after all others, in turn', async t => {
  t.equal(chosen({ m, r, s: r }, { failures: { r: 1 } }), 's')
  t.equal(chosen({ m, r, s: r }, { failures: { r: 1, s: 1 } }), 'm')
  t.equal(chosen({ m, r }, { failures: { r: 1, m: 1 } }), 'r')
})

t.test('nobody is copied who diverged, has no address, or does not serve', async t => {
  const useless = {
    a: worker('replica', { diverged: true }),
    b: worker('replica', { clone: null }),
    c: worker('candidate'),
    d: worker('fenced')
  }
  t.equal(chosen(useless), null)
  t.equal(chosen({ ...useless, m }), 'm')
})

t.test('after a copy that had diverged only the master will do', async t => {
  t.equal(chosen({ r, m }, { fromMaster: true, failures: { m: 5 } }), 'm')
  t.equal(chosen({ r }, { fromMaster: true }), null)
})
