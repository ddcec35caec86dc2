import t from 'tap'
import { ageText, msText, plural, rateText, untilText } from './text.ts'

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

t.test('ages are told in the unit that a person would choose', async t => {
  t.equal(ageText('2026-11-22T11:59:48Z', NOW_MS), '12 s')
  t.equal(ageText('2026-11-22T11:55:00Z', NOW_MS), '5 min')
  t.equal(ageText('2026-11-22T09:00:00Z', NOW_MS), '3 h')
  t.equal(ageText('2026-11-19T12:00:00Z', NOW_MS), '3 d')
  t.equal(ageText('2026-11-22T12:00:30Z', NOW_MS), '0 s', 'a clock that is ahead')
  t.equal(untilText('2026-11-22T12:00:48Z', NOW_MS), '48 s')
})

t.test('figures have as many digits as they are worth', async t => {
  t.strictSame(
    [msText(null), msText(4.16), msText(104.4), msText(12_300)],
    ['-', '4.2 ms', '104 ms', '12 s']
  )
  t.strictSame([rateText(0), rateText(3.21), rateText(1203.4)], ['0', '3.2', '1203'])
  t.strictSame([plural(1, 'row'), plural(2, 'row')], ['1 row', '2 rows'])
})
