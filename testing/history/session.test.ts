import t from 'tap'
import { checkAges } from './age.ts'
import { PROMISES } from './generate.ts'
import type { Action, History, Read } from './history.ts'
import { change, read } from './made.ts'
import { checkOutcomes } from './outcomes.ts'
import { checkPlaces } from './places.ts'
import { checkSessions } from './session.ts'

const insert = (element: number): Action => ({ do: 'insert', element })
const own = change([0, 1], insert(1), { index: 5 })

const session = (value: number[], as: Partial<Read> = {}) =>
  read([2, 3], 'set', value, { process: 'p', consistency: 'session', minIndex: 5, index: 5, ...as })

t.test('a session sees its own write', async t => {
  const problemOf = (history: History) => checkSessions(history, PROMISES)?.because ?? null
  t.equal(problemOf([own, session([1])]), null)
  t.match(problemOf([own, session([])]), /own write/)
  t.equal(problemOf([own, session([], { minIndex: 4 })]), null, 'it did not ask for it')
  t.equal(problemOf([own, session([], { process: 'q' })]), null, 'it is the write of another')
  t.match(problemOf([session([1], { index: 4 })]), /below the 5/)
})

t.test('a session sees what it saw before', async t => {
  const isSound = (history: History) => checkSessions(history, PROMISES) === null
  const before = read([0, 1], 'set', [1, 2], { process: 'p', index: 5 })
  t.ok(isSound([before, session([2, 1])]))
  t.notOk(isSound([before, session([1])]))
  t.ok(isSound([{ ...before, index: 6 }, session([1])]), 'it did not ask for it')
})

t.test('a read is at the index that was told before it, or as old as it may be', async t => {
  const at = (beginMs: number, consistency: Read['consistency']) =>
    checkAges([own, read([beginMs, 99], 'set', [], { consistency, index: 4 })], PROMISES)
  t.not(at(2, 'strong'), null)
  t.equal(at(1, 'strong'), null, 'they touch')
  t.equal(at(51, 'replica'), null)
  t.not(at(52, 'replica'), null)
  t.equal(at(90, 'session'), null)
})

t.test('all copies of a command are told the same', async t => {
  const told = (as: Partial<typeof own>) => checkOutcomes([own, { ...own, ...as }], PROMISES)
  t.equal(told({}), null)
  t.equal(told({ outcome: 'unknown', index: null }), null)
  t.not(told({ outcome: 'failed', index: null }), null)
  t.not(told({ index: 6 }), null)
})

t.test('a command has a place of its own, behind what was there before it', async t => {
  const after = (index: number) =>
    checkPlaces([own, change([2, 3], insert(2), { index })], PROMISES)?.because ?? null
  t.equal(after(6), null)
  t.match(after(5), /one place/)
  t.match(after(4), /behind a later one/)
})
