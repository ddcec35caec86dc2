/** What was done under overload, as figures. Pure. */
import { KINDS } from '../bystander/client.ts'
import type { Met } from '../bystander/figures.ts'
import { quantile } from '../load/figures.ts'
import { aligned } from '../report/table.ts'
import type { Told } from './crowd.ts'

export interface Line {
  readonly title: string
  /** Times as many clients as keep the system busy. */
  readonly times: number
  readonly clients: number
  readonly perS: number
  readonly refusedPerS: number
  /** Answers that leave open what became of the write, and calls without an answer. */
  readonly unknown: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that must not be: what was done is lost, or was done twice. */
  readonly wrong: readonly string[]
  /** Of the quick client beside. */
  readonly worstMs: number
  readonly besideFailed: number
}

const EXPECTED = new Set(['200', '503 CONVOY_OVERLOADED', '504 CONVOY_UNKNOWN_OUTCOME'])

export function lineOf(of: {
  readonly title: string
  readonly times: number
  readonly clients: number
  readonly told: Told
  readonly acknowledged: number
  /** Rows in the table. */
  readonly kept: number
  readonly met: Met
}): Line {
  const { told, acknowledged, kept, met } = of
  const { tookMs, answers, seconds } = told
  const sorted = Float64Array.from(tookMs).sort()
  const refused = answers['503 CONVOY_OVERLOADED'] ?? 0
  const others = Object.keys(answers).filter(answer => !EXPECTED.has(answer))
  const lost = acknowledged > kept ? [`${acknowledged - kept} acknowledged rows are lost`] : []
  const { title, times, clients } = of
  return {
    ...{ title, times, clients },
    perS: tookMs.length / seconds,
    refusedPerS: refused / seconds,
    unknown: answers['504 CONVOY_UNKNOWN_OUTCOME'] ?? 0,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    wrong: [...others.map(answer => `${answers[answer]} × ${answer}`), ...lost],
    worstMs: Math.max(...KINDS.map(kind => met[kind].worstMs)),
    besideFailed: KINDS.reduce(
      (sum, kind) => sum + Object.values(met[kind].failed).reduce((n, of) => n + of, 0),
      0
    )
  }
}

const HEAD = [
  ...['writes of', 'load', 'clients', 'done/s', 'p50, ms', 'p99, ms', 'refused/s (503)'],
  ...['unknown (504)', 'beside: worst, ms', 'beside: failed']
]

/** For a terminal. */
export const tableOf = (lines: readonly Line[]): string => aligned([HEAD, ...lines.map(rowOf)])

/** For a page of the docs. */
export function markdownOf(lines: readonly Line[]): string {
  const rows = [HEAD, HEAD.map(() => '---'), ...lines.map(rowOf)]
  return rows.map(row => `| ${row.join(' | ')} |`).join('\n')
}

const rowOf = (line: Line): string[] => [
  ...[line.title, `${line.times} ×`, String(line.clients), line.perS.toFixed(1)],
  ...[line.p50Ms.toFixed(0), line.p99Ms.toFixed(0), line.refusedPerS.toFixed(0)],
  ...[String(line.unknown), line.worstMs.toFixed(0), String(line.besideFailed)]
]

/** @returns what must not be under overload */
export function missedIn(lines: readonly Line[], worstMs: number): string[] {
  return lines.flatMap(line => {
    const what = `${line.title} × ${line.times}`
    const alone = lines.find(({ title, times }) => title === line.title && times === 1)
    const collapsed = alone !== undefined && line.perS < alone.perS / 2
    return [
      ...line.wrong.map(wrong => `${what}: ${wrong}`),
      ...(collapsed ? [`${what}: ${line.perS.toFixed(1)}/s of ${alone.perS.toFixed(1)}`] : []),
      ...(line.worstMs > worstMs ? [`${what}: ${line.worstMs.toFixed(0)} ms beside`] : []),
      ...(line.besideFailed > 0 ? [`${what}: ${line.besideFailed} calls beside failed`] : [])
    ]
  })
}
