import t from 'tap'
import type { Sample } from './client.ts'
import { type Line, markdownOf, metIn, missedIn } from './figures.ts'

const sample = (kind: Sample['kind'], ms: number, status = 200): Sample => ({ kind, ms, status })

function line(attacked: readonly Sample[], recovered = true): Line {
  const alone = [sample('write', 5), sample('read', 2), sample('strong read', 3)]
  return {
    ...{ name: 'a', title: 'an attack', answers: {}, events: [], recovered },
    ...{ alone: metIn(alone), attacked: metIn([...alone, ...attacked]) }
  }
}

t.test('what a bystander met is told by kind', async t => {
  const { write, read } = metIn([1, 2, 3, 90].map(ms => sample('write', ms)))
  t.match(write, { calls: 4, medianMs: 2, p99Ms: 90, worstMs: 90, failed: {} })
  t.equal(read.calls, 0)
  t.strictSame(metIn([sample('read', 1, 503), sample('read', 1, 0)]).read.failed, { 0: 1, 503: 1 })
})

t.test(
  'a call that took too long or failed is missed, and a system that does not recover',
  async t => {
    t.strictSame(missedIn([line([sample('read', 1_500)])], 1_500), [])
    t.strictSame(missedIn([line([sample('read', 1_501)])], 1_500), ['a: a read took 1501 ms'])
    t.strictSame(missedIn([line([sample('write', 1, 504)])], 1_500), ['a: a write failed'])
    t.strictSame(missedIn([line([], false)], 1_500), ['a: not well again'])
  }
)

t.test('the table has a row for each kind of call', async t => {
  const rows = markdownOf([line([sample('write', 50, 503)])]).split('\n')
  t.equal(rows.length, 5)
  t.equal(rows[2], '| an attack | write | 5.0 → 5.0 | 5.0 → 50 | 5.0 → 50 | 1 × 503 |')
})
