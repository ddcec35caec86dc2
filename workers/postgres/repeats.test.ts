import t from 'tap'
import type { WriteCommand } from '../../wire/requests.ts'
import type { Entry } from '../entry.ts'
import { outcomesOf, planOf } from './repeats.ts'

const command = (requestId: string, commandHash = 'h'): WriteCommand => ({
  requestId,
  commandHash,
  statements: [],
  ttlMs: 0,
  mayRepeat: true
})
const byPlace = (...entries: Entry[]) => new Map(entries.entries())
const entry = (index: number) => ({ index, term: 1, status: 200, result: `[${index}]` }) as Entry

t.test('each new command is run once, and its twins share its outcome', async t => {
  const plan = planOf([command('a'), command('b'), command('a')], new Map())
  t.strictSame(plan.fresh, [command('a'), command('b')])
  const repeat = { kind: 'repeat', index: 7, term: 1, status: 200, result: '[7]' }
  t.strictSame(outcomesOf(plan, byPlace(entry(7), entry(8))), [
    { kind: 'entry', entry: entry(7) },
    { kind: 'entry', entry: entry(8) },
    repeat
  ])
})

t.test('what has an outcome is not run again', async t => {
  const known = { index: 3, term: 1, commandHash: 'h', status: 409, result: '{}' }
  const plan = planOf([command('a'), command('b')], new Map([['a', known]]))
  t.strictSame(plan.fresh, [command('b')])
  const repeat = { kind: 'repeat', index: 3, term: 1, status: 409, result: '{}' }
  t.strictSame(outcomesOf(plan, byPlace(entry(4))), [repeat, { kind: 'entry', entry: entry(4) }])
})

t.test('an id used again for another command is refused', async t => {
  const known = { index: 3, term: 1, commandHash: 'other', status: 200, result: '[]' }
  const plan = planOf([command('a'), command('b'), command('b', 'g')], new Map([['a', known]]))
  t.strictSame(plan.fresh, [command('b')])
  t.strictSame(
    outcomesOf(plan, byPlace(entry(4))).map(({ kind }) => kind),
    ['refused', 'entry', 'refused']
  )
})

t.test('what did not become an entry is postponed, and its twins too', async t => {
  const plan = planOf([command('a'), command('b'), command('a')], new Map())
  t.strictSame(
    outcomesOf(plan, new Map([[1, entry(7)]])).map(({ kind }) => kind),
    ['postponed', 'entry', 'postponed']
  )
})
