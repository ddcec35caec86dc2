/**
 * Two reports of `npm run bench` held against each other. What is compared are ratios
 * to a contestant of the same run, for another day's machine is faster or slower for
 * all alike. Pure.
 */
import type { Report } from './report.ts'
import type { Line, Spread } from './summary.ts'

export interface Change {
  readonly workload: string
  readonly connections: number
  readonly contestant: string
  readonly reference: string
  /** Throughput as a ratio to the reference, in the first report and in the second. */
  readonly before: Spread
  readonly after: Spread
  readonly verdict: 'better' | 'same' | 'worse'
}

/** Less than this is what two runs of the same code differ by. */
const NOISE = 0.1

/** @returns what both reports have, in the second one's order */
export function compare(before: Report, after: Report): Change[] {
  return after.lines.flatMap(line => {
    const { workload, connections, contestant } = line
    const same = before.lines.find(other => isSame(other, line))
    if (same === undefined) return []
    return Object.entries(line.ratios).flatMap(([reference, { perS }]): Change[] => {
      const earlier = same.ratios[reference]?.perS
      if (earlier === undefined) return []
      const what = { workload, connections, contestant, reference }
      return [{ ...what, before: earlier, after: perS, verdict: verdictOf(earlier, perS) }]
    })
  })
}

/** Only what lies beyond the noise, and apart from every round of the other report. */
function verdictOf(before: Spread, after: Spread): Change['verdict'] {
  if (after.median < before.median * (1 - NOISE) && after.max < before.min) return 'worse'
  if (after.median > before.median * (1 + NOISE) && after.min > before.max) return 'better'
  return 'same'
}

const isSame = (a: Line, b: Line) =>
  a.workload === b.workload && a.connections === b.connections && a.contestant === b.contestant
