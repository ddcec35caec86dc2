/** A report's lines as rows for a terminal. */
import type { Report } from './report.ts'
import type { Line, Spread } from './summary.ts'

export function printTable({ lines, workloads, reference }: Report): void {
  for (const { name, title } of workloads) {
    console.log(`\n${title}`)
    console.table(lines.filter(({ workload }) => workload === name).map(rowOf))
  }
  console.log(
    `Medians over the rounds, with the lowest and the highest; ratios to ${reference}, round by round.`
  )
  const failed = lines.reduce((sum, line) => sum + line.failed, 0)
  if (failed > 0) console.log(`${failed} requests FAILED: these figures are not worth much.`)
}

const rowOf = ({ connections, contestant, perS, p50Ms, p99Ms, ratios, failed }: Line) => ({
  connections,
  contestant,
  'requests/s': withSpread(perS, 0),
  ratio: ratios === null ? '' : withSpread(ratios.perS, 2),
  'p50 ms': withSpread(p50Ms, 2),
  'p50 ratio': ratios === null ? '' : withSpread(ratios.p50Ms, 2),
  'p99 ms': withSpread(p99Ms, 2),
  failed
})

const withSpread = ({ median, min, max }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`
