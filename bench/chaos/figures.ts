/**
 * What clients noticed of each fault, of each kind of fault, and second by second. Pure.
 */
import { longestGapMs, type Window } from '../../testing/clients/gaps.ts'
import { quantile } from '../load/figures.ts'
import { DOORS } from './load/doors.ts'
import type { Answer, Kind } from './load/load.ts'
import { type FaultName, type PlannedFault, textOf } from './plan.ts'

/** A fault that was carried out, or not. */
export interface Carried {
  readonly planned: PlannedFault
  /** Whom it struck. */
  readonly who: string
  readonly atMs: number
  /** When what lasts was over; `atMs` for what is over at once. */
  readonly healedAtMs: number
  /** Until one master and all replicas were in sync and all clients served; null: not in time. */
  readonly wholeAfterMs: number | null
  /** Why it was not done. */
  readonly notDone: string | null
}

/** One fault. */
export interface FaultLine {
  readonly atS: number
  readonly fault: FaultName
  readonly text: string
  readonly who: string
  readonly notDone: string | null
  readonly lastsS: number
  /** The longest time without an answer to anybody who asked at one door; the worse of the two. */
  readonly writeGapMs: number
  readonly readGapMs: number
  readonly wholeAfterMs: number | null
  /** Requests that failed, and sendings that were repeated. */
  readonly errors: number
  readonly sentAgain: number
}

/** All faults of one kind. */
export interface KindLine {
  readonly fault: FaultName
  readonly times: number
  readonly errors: number
  readonly writeGapMs: Percentiles
  readonly readGapMs: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly worst: number
}

/** One stretch of time, of `stretchS` seconds. */
export interface Moment {
  readonly second: number
  readonly writesPerS: number
  readonly readsPerS: number
  /** Of what was answered in it; null where nothing was. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

export interface Span {
  /** Of the load. */
  readonly fromMs: number
  readonly toMs: number
}

/** From one fault to the next is what clients noticed of it. */
export function faultLines(
  answers: readonly Answer[],
  faults: readonly Carried[],
  span: Span
): FaultLine[] {
  const times = new Map(
    DOORS.flatMap(door =>
      (['write', 'read'] as const).map(kind => [`${door} ${kind}`, timesOf(answers, door, kind)])
    )
  )
  return faults.map((fault, i) => {
    const window = { fromMs: fault.atMs, toMs: faults[i + 1]?.atMs ?? span.toMs }
    const gapMs = (kind: Kind) =>
      Math.max(...DOORS.map(door => longestGapMs(times.get(`${door} ${kind}`) ?? [], window)))
    const noticed = answers.filter(({ atMs }) => isIn(atMs, window))
    return {
      atS: (fault.atMs - span.fromMs) / 1_000,
      ...{ fault: fault.planned.fault, text: textOf(fault.planned), who: fault.who },
      ...{ notDone: fault.notDone, wholeAfterMs: fault.wholeAfterMs },
      lastsS: (fault.healedAtMs - fault.atMs) / 1_000,
      ...{ writeGapMs: gapMs('write'), readGapMs: gapMs('read') },
      errors: noticed.filter(({ error }) => error !== null).length,
      sentAgain: noticed.reduce((sum, { sentAgain }) => sum + sentAgain.length, 0)
    }
  })
}

export function kindLines(lines: readonly FaultLine[]): KindLine[] {
  const kinds = Map.groupBy(
    lines.filter(({ notDone }) => notDone === null),
    ({ fault }) => fault
  )
  return [...kinds]
    .map(([fault, of]) => ({
      ...{ fault, times: of.length, errors: of.reduce((sum, { errors }) => sum + errors, 0) },
      writeGapMs: percentilesOf(of.map(({ writeGapMs }) => writeGapMs)),
      readGapMs: percentilesOf(of.map(({ readGapMs }) => readGapMs))
    }))
    .sort((a, b) => a.fault.localeCompare(b.fault))
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort()
  const [p50, p90, worst] = [0.5, 0.9, 1].map(q => quantile(sorted, q)) as [number, number, number]
  return { p50, p90, worst }
}

/** At most some 600 stretches, whole seconds each: more cannot be told apart in a plot. */
export const stretchOf = ({ fromMs, toMs }: Span): number =>
  Math.max(1, Math.ceil((toMs - fromMs) / 600_000))

export function moments(answers: readonly Answer[], span: Span): Moment[] {
  const stretchS = stretchOf(span)
  const count = Math.floor((span.toMs - span.fromMs) / (1_000 * stretchS))
  const latencies = Array.from({ length: count }, () => ({ write: [], read: [] }) as Latencies)
  for (const { atMs, askedAtMs, kind, ok } of answers) {
    const at = Math.floor((atMs - span.fromMs) / (1_000 * stretchS))
    if (ok) latencies[at]?.[kind].push(atMs - askedAtMs)
  }
  return latencies.map(({ write, read }, i) => {
    const all = Float64Array.from([...write, ...read]).sort()
    const at = (q: number) => (all.length === 0 ? null : quantile(all, q))
    return {
      second: (i + 0.5) * stretchS,
      ...{ writesPerS: write.length / stretchS, readsPerS: read.length / stretchS },
      ...{ p50Ms: at(0.5), p99Ms: at(0.99) }
    }
  })
}

type Latencies = Record<Kind, number[]>

const isIn = (atMs: number, { fromMs, toMs }: Window): boolean => atMs >= fromMs && atMs < toMs

const timesOf = (answers: readonly Answer[], door: string, kind: Kind): number[] =>
  answers
    .filter(answer => answer.ok && answer.door === door && answer.kind === kind)
    .map(({ atMs }) => atMs)
