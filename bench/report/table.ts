/** A report's lines as tables for a terminal. */
import type { Report } from './report.ts'
import type { Line, Spread } from './summary.ts'

const GAP = '  '

export function printTable({ lines, workloads, references }: Report): void {
  const to = references.map(name => `to ${name}`)
  const head = ['connections', 'contestant', 'requests/s', ...to, 'p50 ms', ...to, 'p99 ms']
  for (const { name, title } of workloads) {
    const own = lines.filter(({ workload }) => workload === name)
    const rows = own.map(line => rowOf(line, references))
    console.log(`\n${title}\n${aligned([head, ...rows])}`)
  }
  console.log(
    '\nMedians of the rounds (lowest to highest); a ratio is the median of those of each round.'
  )
  const failed = lines.reduce((sum, line) => sum + line.failed, 0)
  if (failed > 0) console.log(`${failed} requests FAILED: these figures are not worth much.`)
}

function rowOf(line: Line, references: readonly string[]): string[] {
  const { connections, contestant, perS, p50Ms, p99Ms, ratios } = line
  const ratiosOf = (figure: 'perS' | 'p50Ms') =>
    references.map(name => {
      const ratio = ratios[name]?.[figure].median
      return ratio === undefined ? '' : ratio.toFixed(2)
    })
  return [
    ...[`${connections}`, contestant, withSpread(perS, 0), ...ratiosOf('perS')],
    ...[withSpread(p50Ms, 2), ...ratiosOf('p50Ms'), withSpread(p99Ms, 1)]
  ]
}

const withSpread = ({ median, min, max }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`

/** @param rows the head first */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(GAP)
  return rows.map(row => line(row).trimEnd()).join('\n')
}
