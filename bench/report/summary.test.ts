import t from 'tap'
import type { Measurement } from '../measure.ts'
import { spreadOf, summarize } from './summary.ts'

const round = (perS: number): Measurement => ({
  perS,
  p50Ms: 1_000 / perS,
  p99Ms: 2_000 / perS,
  requests: perS,
  failed: 1
})
const cell = (contestant: string, rates: readonly number[]) => ({
  workload: 'read',
  connections: 1,
  contestant,
  rounds: rates.map(round)
})

t.test('the median of an even number of rounds lies between the middle two', async t => {
  t.strictSame(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 })
  t.strictSame(spreadOf([9, 1, 5]), { median: 5, min: 1, max: 9 })
})

t.test('a ratio compares rounds with each other, not medians', async t => {
  const cells = [cell('baseline', [100, 200, 400]), cell('convoy', [50, 200, 100])]
  const [baseline, convoy] = summarize(cells, ['baseline'])
  t.strictSame(baseline?.ratios, {})
  t.strictSame(convoy?.ratios['baseline']?.perS, { median: 0.5, min: 0.25, max: 1 })
  t.strictSame(convoy?.ratios['baseline']?.p50Ms, { median: 2, min: 1, max: 4 })
})

t.test('failures of all rounds add up', async t => {
  t.equal(summarize([cell('convoy', [1, 2, 3])], ['baseline'])[0]?.failed, 3)
})
