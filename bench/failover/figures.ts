/**
 * One line of figures for each scenario, and whether it keeps its target. Pure.
 */
import type { Seen } from './load.ts'
import type { Scenario, Target } from './scenarios.ts'

export interface Line {
  readonly name: string
  readonly title: string
  readonly times: number
  readonly errors: number
  readonly writeGapMs: Gap
  readonly readGapMs: Gap
  /** The longest that any request was waited for. */
  readonly slowestMs: number
  readonly target: Target
  /** What misses the target; empty when all is as it should be. */
  readonly missed: readonly string[]
  /** Of each time, in order. */
  readonly seen: readonly Seen[]
}

export interface Gap {
  readonly medianMs: number
  readonly worstMs: number
}

export function lineOf({ name, title, target }: Scenario, seen: readonly Seen[]): Line {
  const errors = seen.reduce((sum, one) => sum + one.errors.length, 0)
  const writeGapMs = gapOf(seen.map(one => one.writeGapMs))
  const readGapMs = gapOf(seen.map(one => one.readGapMs))
  const bounds = [
    ['errors', errors, target.errors],
    ['median of writes', writeGapMs.medianMs, target.writeMedianMs],
    ['worst of writes', writeGapMs.worstMs, target.writeWorstMs],
    ['worst of reads', readGapMs.worstMs, target.readWorstMs]
  ] as const
  return {
    ...{ name, title, errors, writeGapMs, readGapMs, target, seen },
    times: seen.length,
    slowestMs: Math.max(...seen.map(one => one.slowestMs)),
    missed: bounds.flatMap(([what, is, most]) =>
      most !== undefined && is > most ? [`${what}: ${Math.round(is)}, at most ${most}`] : []
    )
  }
}

function gapOf(gapsMs: readonly number[]): Gap {
  const sorted = gapsMs.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper
  return { medianMs: (lower + upper) / 2, worstMs: sorted.at(-1) ?? Number.NaN }
}
