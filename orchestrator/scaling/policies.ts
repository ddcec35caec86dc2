/**
 * The scaling policies: how many replicas the load of a span of time asks for. Pure;
 * bounds are the caller's business.
 *
 * - `window`: as many as the reads of the window need, `readsPerReplica` for each.
 * - `rate`: enough for the reads per second at once; one less when that many fewer
 *   would be clearly enough, and nothing has changed for `coolDownS`.
 * - `cpu`: one more while the replicas are busy, one less when they are idle and nothing
 *   has changed for `coolDownS`. A span holds no time in which one was still to come or go.
 * - `fixed`: what an operator said.
 */
import type { PolicyKind, ScalingSettings } from './settings.ts'
import type { Span } from './state.ts'

export const EMPTY: Omit<Span, 'sinceMs'> = { reads: 0, cpuPercent: 0, samples: 0 }

export interface Circumstances {
  readonly lengthS: number
  readonly wanted: number
  /** Since the number of wanted replicas changed. */
  readonly unchangedS: number
}

export interface Judgement {
  readonly replicas: number
  readonly reason: string
}

/** One less must be able to carry the load with so much of its strength, or it would soon be one more. */
const CLEARLY = 0.7
const CPU_BUSY_PERCENT = 85
const CPU_IDLE_PERCENT = 25

/** Long enough to tell a load from a burst, short enough to follow it. */
const SAMPLE_S = 5

/** How long a span lasts before it is judged. */
export const spanS = ({ policy, windowS }: ScalingSettings): number =>
  policy === 'window' ? windowS : SAMPLE_S

type Policy = (span: Span, at: Circumstances, settings: ScalingSettings) => Judgement

export const POLICY: Readonly<Record<Exclude<PolicyKind, 'fixed'>, Policy>> = { window, rate, cpu }

function window({ reads }: Span, at: Circumstances, { readsPerReplica }: ScalingSettings) {
  const reason = `${reads} reads in ${Math.round(at.lengthS)} s, ${readsPerReplica} a replica`
  return { replicas: Math.ceil(reads / readsPerReplica), reason }
}

function rate(span: Span, at: Circumstances, { readsPerS, coolDownS }: ScalingSettings) {
  const perS = span.reads / at.lengthS
  const reason = `${Math.round(perS)} reads/s, ${readsPerS} a replica`
  const needed = Math.ceil(perS / readsPerS)
  if (needed > at.wanted) return { replicas: needed, reason }
  const fewer = at.wanted - 1
  if (perS >= CLEARLY * readsPerS * fewer) return { replicas: at.wanted, reason }
  return lessAfter(coolDownS, { at, reason })
}

function cpu(span: Span, at: Circumstances, { coolDownS }: ScalingSettings) {
  const percent = span.cpuPercent / Math.max(1, span.samples)
  const reason = `replicas at ${Math.round(percent)} % CPU`
  if (percent > CPU_BUSY_PERCENT) return { replicas: at.wanted + 1, reason }
  if (percent >= CPU_IDLE_PERCENT) return { replicas: at.wanted, reason }
  return lessAfter(coolDownS, { at, reason })
}

function lessAfter(
  coolDownS: number,
  { at, reason }: { at: Circumstances; reason: string }
): Judgement {
  if (at.unchangedS >= coolDownS) return { replicas: at.wanted - 1, reason }
  return {
    replicas: at.wanted,
    reason: `${reason}; one less after ${coolDownS} s without a change`
  }
}
