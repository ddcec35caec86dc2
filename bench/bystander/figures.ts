/** What a bystander met, alone and beside an attacker, as figures. Pure. */
import { quantile } from '../load/figures.ts'
import { aligned } from '../report/table.ts'
import { KINDS, type Kind, type Sample } from './client.ts'

export interface Latency {
  readonly calls: number
  readonly medianMs: number
  readonly p99Ms: number
  readonly worstMs: number
  /** Answers other than 200 by status; 0 stands for none. */
  readonly failed: Readonly<Record<string, number>>
}

export type Met = Readonly<Record<Kind, Latency>>

export interface Line {
  readonly name: string
  readonly title: string
  readonly alone: Met
  readonly attacked: Met
  /** What the attacker was answered, by status and code. */
  readonly answers: Readonly<Record<string, number>>
  /** Elections and workers lost meanwhile. */
  readonly events: readonly string[]
  /** Whether all was quick and whole again soon after the attack. */
  readonly recovered: boolean
}

export function metIn(samples: readonly Sample[]): Met {
  const of = (kind: Kind) => latencyOf(samples.filter(sample => sample.kind === kind))
  return { write: of('write'), read: of('read'), 'strong read': of('strong read') }
}

function latencyOf(samples: readonly Sample[]): Latency {
  const sorted = Float64Array.from(samples.map(({ ms }) => ms)).sort()
  const failed: Record<string, number> = {}
  for (const { status } of samples) {
    if (status !== 200) failed[status] = (failed[status] ?? 0) + 1
  }
  return {
    calls: samples.length,
    medianMs: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    worstMs: sorted.at(-1) ?? 0,
    failed
  }
}

const HEAD = ['attack', 'bystander', 'median, ms', 'p99, ms', 'worst, ms', 'failed']

/** For a terminal. */
export const tableOf = (lines: readonly Line[]): string => aligned([HEAD, ...rowsOf(lines)])

/** For a page of the docs. */
export function markdownOf(lines: readonly Line[]): string {
  const rows = [HEAD, HEAD.map(() => '---'), ...rowsOf(lines)]
  return rows.map(row => `| ${row.join(' | ')} |`).join('\n')
}

function rowsOf(lines: readonly Line[]): string[][] {
  return lines.flatMap(({ title, alone, attacked }) =>
    KINDS.map((kind, i) => {
      const pair = (figure: 'medianMs' | 'p99Ms' | 'worstMs') =>
        `${shown(alone[kind][figure])} → ${shown(attacked[kind][figure])}`
      const failed = Object.entries(attacked[kind].failed).map(([s, n]) => `${n} × ${s}`)
      const what = [i === 0 ? title : '', kind]
      return [...what, pair('medianMs'), pair('p99Ms'), pair('worstMs'), failed.join(', ') || '0']
    })
  )
}

const shown = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0))

/** @returns what the attacks did to the bystander that they must not */
export const missedIn = (lines: readonly Line[], worstMs: number): string[] =>
  lines.flatMap(({ name, attacked, recovered }) => [
    ...(recovered ? [] : [`${name}: not well again`]),
    ...KINDS.flatMap(kind => {
      const { failed, worstMs: worst } = attacked[kind]
      const failures = Object.keys(failed).length > 0 ? [`${name}: a ${kind} failed`] : []
      return worst > worstMs
        ? [...failures, `${name}: a ${kind} took ${shown(worst)} ms`]
        : failures
    })
  ])
