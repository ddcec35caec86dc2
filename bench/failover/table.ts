/** Figures of a failover run as a table for a terminal. */
import { aligned } from '../report/table.ts'
import type { Gap, Line } from './figures.ts'

const HEAD = ['', 'times', 'errors', 'no write, ms', 'no read, ms', 'slowest, ms', 'target']

export function printTable(lines: readonly Line[]): void {
  console.log(`\n${aligned([HEAD, ...lines.map(rowOf)])}`)
  console.log('\nThe longest time without an answer to any client: median (worst) of all times.')
}

const rowOf = ({ title, times, errors, writeGapMs, readGapMs, slowestMs, missed }: Line) => [
  title,
  `${times}`,
  `${errors}`,
  shown(writeGapMs),
  shown(readGapMs),
  slowestMs.toFixed(0),
  missed.length === 0 ? 'kept' : `MISSED: ${missed.join('; ')}`
]

const shown = ({ medianMs, worstMs }: Gap) => `${medianMs.toFixed(0)} (${worstMs.toFixed(0)})`
