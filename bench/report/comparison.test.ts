import t from 'tap'
import { compare } from './comparison.ts'
import type { Report } from './report.ts'
import { summarize } from './summary.ts'

const cell = (contestant: string, rates: readonly number[]) => ({
  workload: 'write',
  connections: 64,
  contestant,
  rounds: rates.map(perS => ({ perS, p50Ms: 1, p99Ms: 2, requests: perS, failed: 0 }))
})

/** Of a machine on which the baseline manages `machine` requests per second. */
function report(machine: number, rates: readonly number[]): Report {
  const cells = [cell('baseline', [machine, machine, machine]), cell('convoy', rates)]
  return { lines: summarize(cells, ['baseline']) } as unknown as Report
}

const verdict = (before: Report, after: Report) =>
  compare(before, after).map(({ contestant, verdict }) => [contestant, verdict])

t.test('a faster machine makes nothing better', async t => {
  const before = report(1_000, [500, 510, 490])
  const after = report(2_000, [1_000, 1_020, 980])
  t.strictSame(verdict(before, after), [['convoy', 'same']])
})

t.test('what is slower in all rounds, beyond the noise, is worse', async t => {
  const before = report(1_000, [500, 510, 490])
  t.strictSame(verdict(before, report(1_000, [400, 410, 390])), [['convoy', 'worse']])
  t.strictSame(verdict(report(1_000, [400, 410, 390]), before), [['convoy', 'better']])
})

t.test('what overlaps with the other report is not called a change', async t => {
  const before = report(1_000, [500, 510, 380])
  t.strictSame(verdict(before, report(1_000, [400, 410, 390])), [['convoy', 'same']])
})

t.test('what only one report has is left out', async t => {
  const before = { lines: [] } as unknown as Report
  t.strictSame(compare(before, report(1_000, [1])), [])
})
