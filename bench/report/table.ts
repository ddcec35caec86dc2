/** A report's lines as tables for a terminal. */
import type { Report } from './report.ts'
import type { Line, Spread } from './summary.ts'

const HEAD = ['connections', 'contestant', 'requests/s', 'ratio', 'p50 ms', 'ratio', 'p99 ms']
const GAP = '  '

export function printTable({ lines, workloads, reference }: Report): void {
  for (const { name, title } of workloads) {
    const rows = lines.filter(({ workload }) => workload === name).map(rowOf)
    console.log(`\n${title}\n${aligned([HEAD, ...rows])}`)
  }
  console.log(
    `\nMedians (lowest to highest) of the rounds; ratios to ${reference}, round by round.`
  )
  const failed = lines.reduce((sum, line) => sum + line.failed, 0)
  if (failed > 0) console.log(`${failed} requests FAILED: these figures are not worth much.`)
}

const rowOf = ({ connections, contestant, perS, p50Ms, p99Ms, ratios }: Line): string[] => [
  `${connections}`,
  contestant,
  withSpread(perS, 0),
  ratios === null ? '' : withSpread(ratios.perS, 2),
  withSpread(p50Ms, 2),
  ratios === null ? '' : withSpread(ratios.p50Ms, 1),
  withSpread(p99Ms, 1)
]

const withSpread = ({ median, min, max }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`

/** @param rows the head first */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(GAP)
  return rows.map(row => line(row).trimEnd()).join('\n')
}
