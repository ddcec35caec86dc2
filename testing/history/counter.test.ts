import t from 'tap'
import { checkBank } from './bank.ts'
import { checkCounter } from './counter.ts'
import { PROMISES } from './generate.ts'
import type { Action, History } from './history.ts'
import { change, lost, read } from './made.ts'
import { objectsOf } from './objects.ts'

const add = (amount: number): Action => ({ do: 'add', amount })
const isSound = (history: History) => checkCounter(objectsOf(history)[0]!, PROMISES) === null

t.test('a counter lies between what is acknowledged and what is possible', async t => {
  const adds = [
    change([0, 1], add(5)),
    lost(0, add(2)),
    change([0, 1], add(9), { outcome: 'failed' })
  ]
  for (const value of [5, 7]) t.ok(isSound([...adds, read([2, 3], 'counter', value)]), `${value}`)
  for (const value of [4, 8])
    t.notOk(isSound([...adds, read([2, 3], 'counter', value)]), `${value}`)
})

t.test('an addition counts for what is concurrent with it, or does not', async t => {
  for (const value of [0, 5]) {
    t.ok(isSound([change([0, 4], add(5)), read([2, 3], 'counter', value)]))
    t.ok(isSound([change([3, 4], add(5)), read([2, 3], 'counter', value)]), 'they touch')
  }
})

t.test('a strong read is not below an earlier read, even of what is unknown', async t => {
  const seen = [lost(0, add(2)), read([2, 3], 'counter', 2, { consistency: 'replica' })]
  t.notOk(isSound([...seen, read([4, 5], 'counter', 0)]))
  t.ok(isSound([...seen, read([4, 5], 'counter', 0, { consistency: 'replica' })]))
})

t.test('a copy of an addition does not count twice', async t => {
  const copies = [
    change([0, 1], add(5), { requestId: 'r' }),
    change([2, 3], add(5), { requestId: 'r' })
  ]
  t.notOk(isSound([...copies, read([4, 5], 'counter', 10)]))
})

t.test('the accounts of a bank keep their total, and none is overdrawn', async t => {
  const problemOf = (balances: number[]) =>
    checkBank(objectsOf([read([0, 1], 'bank', balances)])[0]!, PROMISES)?.because ?? null
  t.equal(problemOf([10, 10, 10, 10]), null)
  t.match(problemOf([10, 10, 10, 9]), /39 together, not 40/)
  t.match(problemOf([50, -10, 0, 0]), /overdrawn/)
})
