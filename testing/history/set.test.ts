import t from 'tap'
import { PROMISES } from './generate.ts'
import type { Action, History } from './history.ts'
import { change, lost, read } from './made.ts'
import { objectsOf } from './objects.ts'
import { checkSequence } from './sequential.ts'
import { checkSet } from './set.ts'

const insert = (element: number): Action => ({ do: 'insert', element })
const objectOf = (history: History) => objectsOf(history)[0]!
const problemOf = (history: History) => checkSet(objectOf(history), PROMISES)?.because ?? null

t.test('an acknowledged element is in every later strong read, in any order', async t => {
  const inserts = [change([0, 1], insert(1)), change([0, 1], insert(2))]
  t.equal(problemOf([...inserts, read([2, 3], 'set', [2, 1])]), null)
  t.equal(problemOf([...inserts, read([2, 3], 'set', [2])]), 'element 1 is lost')
  t.equal(problemOf([...inserts, read([1, 3], 'set', [2])]), null, 'it is concurrent')
})

t.test('a replica read may be old, up to its bound', async t => {
  const at = (beginMs: number) => read([beginMs, 200], 'set', [], { consistency: 'replica' })
  t.equal(problemOf([change([0, 1], insert(1)), at(40)]), null)
  t.equal(problemOf([change([0, 1], insert(1)), at(52)]), 'element 1 is lost')
})

t.test('an element is there once, was asked for, and did not fail', async t => {
  const failed = change([0, 1], insert(1), { outcome: 'failed' })
  t.match(problemOf([lost(0, insert(1)), read([2, 3], 'set', [1, 1])]), /twice/)
  t.match(problemOf([read([2, 3], 'set', [1])]), /never inserted/)
  t.match(problemOf([failed, read([2, 3], 'set', [1])]), /failed for certain/)
  t.match(problemOf([read([2, 3], 'set', [1]), change([4, 5], insert(1))]), /before/)
})

t.test('an unknown element may come late, and stays once it was seen', async t => {
  const early = read([1, 2], 'set', [])
  const late = read([3, 4], 'set', [1])
  t.equal(problemOf([lost(0, insert(1)), early, late]), null)
  t.match(problemOf([lost(0, insert(1)), late, read([5, 6], 'set', [])]), /lost/)
})

t.test('of two reads one holds the other', async t => {
  const inserts = [lost(0, insert(1)), lost(0, insert(2))]
  const reads = [read([2, 9], 'set', [1]), read([2, 9], 'set', [2])]
  t.match(problemOf([...inserts, ...reads]), /what the other does not/)
})

t.test('whoever sees an insert sees what was there before it, at every level', async t => {
  const inserts = [change([0, 1], insert(1)), change([2, 3], insert(2))]
  const replica = { consistency: 'replica' } as const
  const isInOrder = (history: History) => checkSequence(objectOf(history), PROMISES) === null
  t.ok(isInOrder([...inserts, read([4, 5], 'set', [1], replica)]))
  t.notOk(isInOrder([...inserts, read([4, 5], 'set', [2], replica)]))
  t.ok(isInOrder([lost(0, insert(1)), inserts[1]!, read([4, 5], 'set', [2], replica)]))
})
