import t from 'tap'
import { choose } from './choice.ts'
import { type Circuit, CLOSED } from './circuit.ts'

const one = (name: string, busy = 0, circuit: Circuit = CLOSED) => ({ name, busy, circuit })
const open: Circuit = { kind: 'open', untilMs: 2_000, times: 1 }
const nowMs = 1_000

t.test('of two drawn, the less busy one is taken', async t => {
  const a = one('a', 5)
  const b = one('b', 2)
  for (const random of [0, 0.3, 0.6, 0.99]) {
    t.equal(choose([a, b], { nowMs, random: () => random }), b)
  }
})

t.test('two different ones are drawn, each pair as likely', async t => {
  const instances = ['a', 'b', 'c', 'd'].map(name => one(name))
  const counts = new Map<string, number>()
  for (let i = 0; i < 4_000; i++) {
    const name = choose(instances, { nowMs })?.name ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const count of counts.values()) t.ok(count > 800 && count < 1_200, `${count} of 4,000`)
})

t.test('the one that has just failed is taken only when it is alone', async t => {
  const a = one('a')
  const b = one('b', 9)
  t.equal(choose([a, b], { nowMs, avoid: a }), b)
  t.equal(choose([a], { nowMs, avoid: a }), a)
  t.equal(choose([a, one('b', 0, open)], { nowMs, avoid: a }), a)
})

t.test('what no circuit admits is not taken', async t => {
  t.equal(choose([one('a', 0, open)], { nowMs }), undefined)
  t.equal(choose([one('a', 0, open)], { nowMs: 2_000 })?.name, 'a')
  t.equal(choose([], { nowMs }), undefined)
})
