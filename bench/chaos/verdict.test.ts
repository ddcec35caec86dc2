import t from 'tap'
import type { Operation } from '../../testing/history/history.ts'
import { change, lost, read } from '../../testing/history/made.ts'
import { type Evidence, type Guarantee, judge, type Verdict } from './verdict.ts'

const PROMISES = { maxReadAgeMs: 1_100, bankTotal: 500 }

const insert = (element: number) => ({ do: 'insert', element }) as const

/** Two writes that were acknowledged, and what the end shows. */
const WRITES = [change([0, 10], insert(1), { index: 1 }), change([20, 30], insert(2), { index: 2 })]
const end = (...elements: number[]) => [read([5_000, 5_010], 'set', elements, { index: 2 })]

function judged(history: readonly Operation[], last = end(1, 2), more: Partial<Evidence> = {}) {
  return judge({
    ...{ history: [...history, ...last], last, differing: [], broken: [], elections: [] },
    ...{ errors: [], promises: PROMISES },
    ...more
  })
}

const red = ({ held, problems }: Verdict): Guarantee[] => {
  const broken = Object.entries(problems).filter(([, found]) => found.length > 0)
  t.equal(held, broken.length === 0)
  return broken.map(([guarantee]) => guarantee as Guarantee)
}

t.test('all held where all that was acknowledged is there, once', async t => {
  const verdict = judged(WRITES)
  t.strictSame(red(verdict), [])
  t.match(verdict, { acknowledged: 2, unknown: 0, lost: 0, doubled: 0, clientErrors: 0 })
})

t.test('a lost write turns it red', async t => {
  const verdict = judged(WRITES, end(2))
  t.equal(verdict.lost, 1)
  t.strictSame(red(verdict), ['G1', 'G4', 'G5'])
  t.match(verdict.problems.G1, ['lost: 1 of x, index 1'])
})

t.test('what could not be read in the end is not called lost, and turns it red', async t => {
  const verdict = judged(WRITES, [])
  t.equal(verdict.lost, 0)
  t.strictSame(red(verdict), ['G1'])
  t.strictSame(verdict.problems.G1, ['2 could not be looked for at the end'])
})

t.test('a write that is there twice turns it red', async t => {
  const verdict = judged(WRITES, end(1, 2, 2))
  t.equal(verdict.doubled, 1)
  t.ok(red(verdict).includes('G2'))
})

t.test('a lost one and a doubled one among many are found, and counted', async t => {
  const many = Array.from({ length: 500 }, (_, i) =>
    change([10 * i, 10 * i + 5], insert(i), { index: i + 1 })
  )
  const there = many.map((_, i) => i).filter(i => i !== 250)
  const last = [read([9_000, 9_010], 'set', [...there, 77], { index: 500 })]
  const verdict = judged(many, last)
  t.match(verdict, { held: false, lost: 1, doubled: 1 })
})

t.test('a ride is judged without an index', async t => {
  const rides = [change([0, 10], insert(1)), change([20, 30], insert(2))]
  const listed = (elements: number[]) => [
    read([5_000, 5_010], 'set', elements, { consistency: 'replica' })
  ]
  t.strictSame(red(judged(rides, listed([1, 2]))), [])
  t.match(judged(rides, listed([1])), { held: false, lost: 1 })
  t.match(judged(rides, listed([1, 2, 1])), { held: false, doubled: 1 })
})

t.test('a write of which nobody was told may be there or not, but not twice', async t => {
  const unknown = [...WRITES, lost(40, insert(3))]
  for (const last of [end(1, 2), end(1, 2, 3)]) t.strictSame(red(judged(unknown, last)), [])
  t.equal(judged(unknown, end(1, 2, 3, 3)).doubled, 1)
})

t.test('a write that failed for certain must not be there', async t => {
  const failed = [...WRITES, change([40, 50], insert(3), { outcome: 'failed' })]
  t.strictSame(red(judged(failed)), [])
  const verdict = judged(failed, end(1, 2, 3))
  t.equal(verdict.undead, 1)
  t.ok(red(verdict).includes('G2'))
})

t.test('stale reads are counted by what they promise', async t => {
  const old = (consistency: 'replica' | 'session' | 'strong', atMs: number) =>
    read([atMs, atMs + 5], 'set', [1], { consistency, index: 1, minIndex: null })
  const young = judged([...WRITES, old('replica', 500)])
  t.strictSame([red(young), young.stale], [[], { replica: 0, session: 0, strong: 0 }])
  const stale = judged([
    ...WRITES,
    ...[old('replica', 2_000), old('strong', 100), old('strong', 200)],
    { ...old('session', 100), minIndex: 2 }
  ])
  t.strictSame(stale.stale, { replica: 1, session: 1, strong: 2 })
  t.ok(red(stale).includes('G5'))
})

t.test('two masters of one term turn it red, two sightings of one do not', async t => {
  const seen = (pid: number) => ({ atS: 1, term: 2, pid, durationMs: null })
  t.strictSame(red(judged(WRITES, end(1, 2), { elections: [seen(7), seen(7)] })), [])
  t.strictSame(red(judged(WRITES, end(1, 2), { elections: [seen(7), seen(8)] })), ['G4'])
})

t.test('two writes at one place of the log turn it red', async t => {
  const [first, second] = WRITES as [(typeof WRITES)[0], (typeof WRITES)[0]]
  t.ok(red(judged([first, { ...second, index: 1 }])).includes('G4'))
})

t.test('an error, workers that differ, and what does not get whole turn it red', async t => {
  t.strictSame(red(judged(WRITES, end(1, 2), { errors: ['write: 500'] })), ['G6'])
  t.strictSame(red(judged(WRITES, end(1, 2), { differing: ['worker 7'] })), ['G3'])
  t.strictSame(red(judged(WRITES, end(1, 2), { broken: ['not whole'] })), ['G6'])
})
