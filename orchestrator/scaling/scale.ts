/**
 * How many replicas there should be, as one state that grows with what is seen. Pure.
 * The state lives in `/scaling`, so that whoever supervises next goes on from it; its
 * times are of the wall clock, which decides nothing but when to scale.
 * Invariants:
 * - The number wanted is within the bounds, or it is the operator's fixed count.
 * - A read is counted once, whichever orchestrator took it.
 */
import { EMPTY, POLICY, spanS } from './policies.ts'
import type { ScalingSettings } from './settings.ts'
import type { ScalingState, Span } from './state.ts'

/** What was seen before a silence this long says nothing about now. */
const STALE_MS = 30_000
/** Orchestrators whose counts are remembered: one that lost its session comes back with its own. */
const REMEMBERED = 32

export interface Seen {
  readonly atMs: number
  /** Reads that each orchestrator has taken since it began. */
  readonly reads: ReadonlyMap<string, number>
  /** CPU of each replica that serves reads, in percent of one core. */
  readonly cpuPercent: readonly number[]
  /** How busy reads keep each of these. */
  readonly readLoadPercent: readonly number[]
  /** All that the workers' machines have. */
  readonly cores: number
  /** On the machine that has most of them. */
  readonly idleCores: number
}

/** @param state null when nobody has decided anything in this cluster */
export function scale(
  state: ScalingState | null,
  seen: Seen,
  settings: ScalingSettings
): ScalingState {
  const before = state === null ? beginning(seen, settings) : upToDate(state, seen, settings)
  const span = extended(before, seen, settings)
  const counted = remembered(before.counted, seen.reads)
  const next = { ...before, span, counted, seenAtMs: seen.atMs }
  const due = dueAtMs(next, settings)
  return due === null || seen.atMs < due ? next : judged(next, seen, settings)
}

/** What holds before anything is decided anew: an operator is obeyed at once. */
export function wantedNow(
  state: Pick<ScalingState, 'wanted'> | null,
  { policy, count, min, max }: ScalingSettings
): number {
  if (policy === 'fixed') return count
  return Math.min(Math.max(state?.wanted ?? min, min), max)
}

/** When the next decision falls; null when nothing leads to one yet. */
export function dueAtMs({ span }: ScalingState, settings: ScalingSettings): number | null {
  if (settings.policy === 'fixed' || span.sinceMs === null) return null
  return span.sinceMs + 1_000 * spanS(settings)
}

function beginning({ atMs }: Seen, settings: ScalingSettings): ScalingState {
  const wanted = wantedNow(null, settings)
  const { policy } = settings
  return {
    wanted,
    decision: { at: iso(atMs), policy, from: wanted, to: wanted, reason: 'the cluster began' },
    policy,
    span: begun(atMs, settings),
    seenAtMs: atMs,
    changedAtMs: atMs,
    calmSinceMs: atMs,
    counted: {}
  }
}

/** After what an operator changed, and after a silence. */
function upToDate(state: ScalingState, seen: Seen, settings: ScalingSettings): ScalingState {
  const { policy } = settings
  const silentMs = seen.atMs - state.seenAtMs
  const usable = policy === state.policy && silentMs >= 0 && silentMs < STALE_MS
  const kept: ScalingState = {
    ...state,
    policy,
    span: usable ? state.span : begun(seen.atMs, settings),
    changedAtMs: Math.min(state.changedAtMs, seen.atMs), // a clock that was set back
    calmSinceMs: usable ? state.calmSinceMs : seen.atMs
  }
  const to = wantedNow(state, settings)
  const reason = policy === 'fixed' ? 'the count was set' : 'the bounds were set'
  return to === state.wanted ? kept : decided(kept, { atMs: seen.atMs, to, reason })
}

function judged(state: ScalingState, seen: Seen, settings: ScalingSettings): ScalingState {
  const { atMs } = seen
  const { policy } = settings
  if (policy === 'fixed') return state
  const judgement = POLICY[policy](
    state.span,
    {
      lengthS: (atMs - (state.span.sinceMs ?? atMs)) / 1_000,
      wanted: state.wanted,
      unchangedS: (atMs - state.changedAtMs) / 1_000,
      calmS: (atMs - state.calmSinceMs) / 1_000,
      cores: seen.cores
    },
    settings
  )
  const calmSinceMs = judgement.isCalm === true ? state.calmSinceMs : atMs
  const next = { ...state, calmSinceMs, span: { ...EMPTY, sinceMs: atMs } }
  return decided(next, { atMs, ...bounded(judgement, settings) })
}

function decided(
  state: ScalingState,
  { atMs, to, reason }: { atMs: number; to: number; reason: string }
): ScalingState {
  const { policy, wanted: from } = state
  return {
    ...state,
    wanted: to,
    decision: { at: iso(atMs), policy, from, to, reason },
    changedAtMs: to === from ? state.changedAtMs : atMs,
    calmSinceMs: to === from ? state.calmSinceMs : atMs
  }
}

function bounded(
  { replicas, reason }: { replicas: number; reason: string },
  { min, max }: ScalingSettings
): { to: number; reason: string } {
  if (replicas < min) return { to: min, reason: `${reason}; at least ${min}` }
  if (replicas > max) return { to: max, reason: `${reason}; at most ${max}` }
  return { to: replicas, reason }
}

/** The timer of a window starts with the first read, others run by themselves. */
const begun = (atMs: number, { policy }: ScalingSettings): Span => ({
  ...EMPTY,
  sinceMs: policy === 'window' ? null : atMs
})

function extended(
  { span, counted, wanted, seenAtMs }: ScalingState,
  { atMs, reads, cpuPercent, readLoadPercent, idleCores }: Seen,
  { policy }: ScalingSettings
): Span {
  const replicas = cpuPercent.length
  if ((policy === 'cpu' || policy === 'load') && replicas !== wanted)
    return { ...EMPTY, sinceMs: atMs }
  let news = 0
  for (const [id, total] of reads) news += Math.max(0, total - (counted[id] ?? 0))
  const begins = policy === 'window' && span.sinceMs === null && news > 0
  return {
    // The first read came since the last look.
    sinceMs: begins ? seenAtMs : span.sinceMs,
    reads: span.reads + news,
    cpuPercent: span.cpuPercent + mean(cpuPercent),
    readLoadPercent: span.readLoadPercent + mean(readLoadPercent),
    idleCores: span.idleCores + idleCores,
    samples: span.samples + 1
  }
}

function remembered(
  counted: ScalingState['counted'],
  reads: ReadonlyMap<string, number>
): Record<string, number> {
  const gone = Object.entries(counted).filter(([id]) => !reads.has(id))
  return Object.fromEntries([...gone.slice(-REMEMBERED), ...reads])
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length)

const iso = (atMs: number) => new Date(atMs).toISOString()
