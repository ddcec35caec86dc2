import t from 'tap'
import { PROMISES } from './generate.ts'
import type { Action, History } from './history.ts'
import { checkList } from './list.ts'
import { change, lost, read } from './made.ts'
import { objectsOf } from './objects.ts'

const append = (element: number): Action => ({ do: 'append', element })
const problemOf = (history: History) => checkList(objectsOf(history)[0]!, PROMISES)?.because ?? null

const both = [change([0, 1], append(1)), change([2, 3], append(2))]

t.test('every read is the beginning of every longer one', async t => {
  const old = { consistency: 'replica' } as const
  t.equal(problemOf([...both, read([4, 5], 'list', [1], old), read([4, 5], 'list', [1, 2])]), null)
  const three = [lost(0, append(1)), lost(0, append(2)), lost(0, append(3))]
  const [one, other] = [read([4, 9], 'list', [1, 2]), read([4, 9], 'list', [1, 3, 2])]
  t.match(problemOf([...three, one, other]), /not the beginning/)
})

t.test('the order in the list is an order in time', async t => {
  t.match(problemOf([...both, read([4, 5], 'list', [2, 1])]), /behind one that began after/)
  const concurrent = [change([0, 3], append(1)), change([2, 3], append(2))]
  t.equal(problemOf([...concurrent, read([4, 5], 'list', [2, 1])]), null)
})

t.test('a strong read shows all that was acknowledged or shown before it', async t => {
  t.match(problemOf([...both, read([4, 5], 'list', [1])]), /was there before/)
  const shown = [lost(0, append(1)), read([1, 2], 'list', [1])]
  t.equal(problemOf([...shown, read([2, 3], 'list', [])]), null, 'it is concurrent')
  t.match(problemOf([...shown, read([3, 4], 'list', [])]), /was there before/)
})

t.test('an acknowledged element that is nowhere is lost', async t => {
  const shown = read([0, 4], 'list', [2])
  t.match(problemOf([...both, shown]), /lost/)
  t.equal(problemOf([lost(0, append(1)), both[1]!, shown]), null)
})

t.test('an element is there once, was asked for, and did not fail', async t => {
  const failed = change([0, 1], append(1), { outcome: 'failed' })
  t.match(problemOf([lost(0, append(1)), read([2, 3], 'list', [1, 1])]), /twice/)
  t.match(problemOf([read([2, 3], 'list', [1])]), /never appended/)
  t.match(problemOf([failed, read([2, 3], 'list', [1])]), /failed for certain/)
  t.match(problemOf([read([2, 3], 'list', [1]), change([4, 5], append(1))]), /before it was/)
})
