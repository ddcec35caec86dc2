/**
 * The vote alone, and what must hold of it whatever workers report.
 */
import t from 'tap'
import type { Item } from '../../wire/verify.ts'
import { Findings, vote } from './vote.ts'

const rows = (name: string, sum: string, count = '1'): Item => ({
  ...{ kind: 'rows', name, rows: count, sum }
})
const fault = (name: string): Item => ({ kind: 'fault', name, sum: 'is damaged' })
const ballots = (of: Readonly<Record<string, readonly Item[]>>) => new Map(Object.entries(of))
const NOBODY = { trusted: null, preferred: 'm' }

function verdictOf(of: Readonly<Record<string, readonly Item[]>>, trusted: string | null = null) {
  const findings = new Findings()
  findings.add(vote(ballots(of), { trusted, preferred: trusted ?? 'm' }))
  const compared = Object.keys(of)
  return Object.fromEntries(findings.verdict({ compared, trusted }))
}

t.test('the odd one out is wrong, the master too', async t => {
  const right = [rows('a', '1'), rows('b', '2')]
  const other = [rows('a', '1'), rows('b', '3')]
  t.strictSame(verdictOf({ m: right, r: right, s: right }), {})
  t.strictSame(verdictOf({ m: right, r: other, s: right }), { r: 'b' })
  t.strictSame(verdictOf({ m: other, r: right, s: right }), { m: 'b' })
  t.strictSame(verdictOf({ m: [rows('a', '1')], r: right, s: right }), { m: 'b (missing)' })
  const more = [...right, rows('c', '1')]
  t.strictSame(verdictOf({ m: more, r: right, s: right }), { m: 'c (not in the others)' })
})

t.test('without a majority nobody is wrong, until an operator decides', async t => {
  const found = { m: [rows('a', '1')], r: [rows('a', '2')] }
  const { undecided, wrong } = vote(ballots(found), NOBODY)
  t.strictSame(
    [...undecided],
    [
      ['m', ['a']],
      ['r', ['a']]
    ]
  )
  t.equal(wrong.size, 0)
  t.strictSame(verdictOf(found), {})
  t.strictSame(verdictOf(found, 'r'), { m: 'a' })
  t.strictSame(verdictOf(found, 'm'), { r: 'a' })
  const all = { m: [rows('a', '1')], r: [rows('a', '2')], s: [rows('a', '3')] }
  t.strictSame(verdictOf(all), {})
  t.strictSame(verdictOf(all, 's'), { m: 'a', r: 'a' })
})

t.test('an operator is right against a majority', async t => {
  const found = { m: [rows('a', '1')], r: [rows('a', '2')], s: [rows('a', '2')] }
  t.strictSame(verdictOf(found, 'm'), { r: 'a', s: 'a' })
})

t.test('a worker that is faulty by itself is wrong only while another is sound', async t => {
  const ok = [rows('a', '1')]
  t.strictSame(verdictOf({ m: [...ok, fault('index x')], r: ok }), { m: 'index x is damaged' })
  const both = { m: [...ok, fault('index x')], r: [...ok, fault('log entry 3')] }
  t.strictSame(verdictOf(both), {})
  t.strictSame(verdictOf(both, 'm'), { r: 'log entry 3 is damaged' })
})

t.test('where each is wrong somewhere nobody is thrown away', async t => {
  const items = (a: string, b: string, c: string) => [rows('a', a), rows('b', b), rows('c', c)]
  const found = { m: items('x', '1', '1'), r: items('1', 'x', '1'), s: items('1', '1', 'x') }
  t.strictSame(verdictOf(found), {})
  const two = { m: items('x', '1', '1'), r: items('1', 'x', '1'), s: items('1', '1', '1') }
  t.strictSame(verdictOf(two), { m: 'a', r: 'b' })
})

t.test('what is right is shown', async t => {
  const found = { m: [rows('a', '1')], r: [rows('a', '2')], s: [rows('a', '2')] }
  t.match(vote(ballots(found), NOBODY).items, [{ sum: '2' }])
  const undecided = { m: [rows('a', '1')], r: [rows('a', '2')] }
  t.match(vote(ballots(undecided), NOBODY).items, [{ sum: '1' }])
})

/** A small generator, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

t.test('whatever is reported, a sound worker is left, and a majority is never wrong', async t => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const dice = random(seed)
    const ids = ['m', 'r', 's', 'u', 'v'].slice(0, 2 + dice(4))
    const sheet = () => {
      const items = ['a', 'b', 'c'].flatMap(name =>
        dice(10) === 0 ? [] : [rows(name, String(dice(8) === 0 ? dice(3) : 7))]
      )
      return dice(12) === 0 ? [...items, fault('x')] : items
    }
    const found = Object.fromEntries(ids.map(id => [id, sheet()]))
    const wrong = Object.keys(verdictOf(found))
    const failed = (what: string) => t.fail(`seed ${seed}: ${what}`, { found, wrong })
    const left = ids.filter(id => !wrong.includes(id))
    if (wrong.length > 0) {
      // One is left that nobody can say anything against.
      const isClean = (id: string) => found[id]?.every(item => item.kind !== 'fault') === true
      if (!left.some(isClean)) failed('no sound worker is left')
    }
    for (const name of ['a', 'b', 'c']) {
      const sumOf = (id: string) => found[id]?.find(item => item.name === name)?.sum ?? ''
      for (const id of wrong) {
        const agree = ids.filter(other => sumOf(other) === sumOf(id))
        const tally = vote(ballots(found), NOBODY).wrong.get(id) ?? []
        const isNamed = tally.some(text => text.startsWith(name))
        if (isNamed && 2 * agree.length > ids.length) failed(`${id} is of the majority in ${name}`)
      }
    }
  }
  t.pass()
})
