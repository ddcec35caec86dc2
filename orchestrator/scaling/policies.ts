/**
 * The scaling policies: how many replicas the load of a span of time asks for. Pure;
 * bounds are the caller's business.
 *
 * - `load`: one more while reads keep the replicas busy and a core is idle, for only then
 *   another one helps; one less when the others would be far from busy for `coolDownS`.
 * - `window`: as many as the reads of the window need, `readsPerReplica` for each.
 * - `rate`: enough for the reads per second at once; one less when that many fewer
 *   would be clearly enough, and nothing has changed for `coolDownS`.
 * - `cpu`: one more while the replicas are busy, one less when they are idle and nothing
 *   has changed for `coolDownS`. A span holds no time in which one was still to come or go.
 * - `fixed`: what an operator said.
 */
import type { PolicyKind, ScalingSettings } from './settings.ts'
import type { Span } from './state.ts'

export const EMPTY: Omit<Span, 'sinceMs'> = {
  ...{ reads: 0, cpuPercent: 0, readLoadPercent: 0, idleCores: 0, samples: 0 }
}

export interface Circumstances {
  readonly lengthS: number
  readonly wanted: number
  /** Since the number of wanted replicas changed. */
  readonly unchangedS: number
  /** Since it could not have been one less. */
  readonly calmS: number
  /** Of all machines that workers run on. */
  readonly cores: number
}

export interface Judgement {
  readonly replicas: number
  readonly reason: string
  /** Whether one less would do; undefined where that is not asked for. */
  readonly isCalm?: boolean
}

/** One less must be able to carry the load with so much of its strength, or it would soon be one more. */
const CLEARLY = 0.7
const CPU_BUSY_PERCENT = 85
const CPU_IDLE_PERCENT = 25

const LOAD_BUSY_PERCENT = 70
/** What the others may come to when one goes: far below busy, so that it does not come back. */
const LOAD_CALM_PERCENT = 40
/** A new replica copies a database first: a burst of seconds would be over by then. */
const LOAD_SAMPLE_S = 15
const IDLE_CORES = 1

/** Long enough to tell a load from a burst, short enough to follow it. */
const SAMPLE_S = 5

/** How long a span lasts before it is judged. */
export const spanS = ({ policy, windowS }: ScalingSettings): number =>
  policy === 'window' ? windowS : policy === 'load' ? LOAD_SAMPLE_S : SAMPLE_S

/** Replicas that so many cores can be of use to: one is the master's. */
export const usefulReplicas = (cores: number, { min, max }: { min: number; max: number }) =>
  Math.min(max, Math.max(min, cores - 1))

/** The rule in one sentence. */
export function ruleOf(settings: ScalingSettings, cores: number): string {
  const { min, max, isMaxChosen, windowS, readsPerReplica, readsPerS, coolDownS } = settings
  const bounds = `${min} to ${max} replicas`
  if (settings.policy === 'load') {
    const most = isMaxChosen || cores === 0 ? max : usefulReplicas(cores, settings)
    const why = most < max || !isMaxChosen ? ` on ${cores} cores` : ''
    return (
      `one more while reads keep the replicas over ${LOAD_BUSY_PERCENT} % busy for ` +
      `${LOAD_SAMPLE_S} s and a core is idle, one less when the others would stay under ` +
      `${LOAD_CALM_PERCENT} % for ${coolDownS} s; ${min} to ${most} replicas${why}`
    )
  }
  if (settings.policy === 'window') {
    return `one replica for ${readsPerReplica} reads in ${windowS} s, ${bounds}`
  }
  if (settings.policy === 'rate') {
    return `one replica for ${readsPerS} reads/s, cool-down ${coolDownS} s, ${bounds}`
  }
  if (settings.policy === 'cpu') {
    return `one more over ${CPU_BUSY_PERCENT} % CPU, one less under ${CPU_IDLE_PERCENT} %, cool-down ${coolDownS} s, ${bounds}`
  }
  return 'as many as were set'
}

type Policy = (span: Span, at: Circumstances, settings: ScalingSettings) => Judgement

export const POLICY: Readonly<Record<Exclude<PolicyKind, 'fixed'>, Policy>> = {
  ...{ load, window, rate, cpu }
}

function load(span: Span, at: Circumstances, settings: ScalingSettings): Judgement {
  const samples = Math.max(1, span.samples)
  const percent = span.readLoadPercent / samples
  const idleCores = span.idleCores / samples
  const stay = { replicas: at.wanted, isCalm: false }
  const reason = `reads keep the replicas ${Math.round(percent)} % busy`
  if (percent > LOAD_BUSY_PERCENT) {
    if (!settings.isMaxChosen && at.wanted >= usefulReplicas(at.cores, settings)) {
      return { ...stay, reason: `${reason}; ${at.cores} cores are of no use to more` }
    }
    if (idleCores < IDLE_CORES) {
      return { ...stay, reason: `${reason}; one more would find no idle core` }
    }
    return { replicas: at.wanted + 1, reason, isCalm: false }
  }
  const onOthers = (percent * at.wanted) / Math.max(1, at.wanted - 1)
  if (onOthers >= LOAD_CALM_PERCENT || at.wanted <= settings.min) return { ...stay, reason }
  if (at.calmS >= settings.coolDownS) return { replicas: at.wanted - 1, reason, isCalm: true }
  const later = `one less after ${settings.coolDownS} s of calm`
  return { replicas: at.wanted, reason: `${reason}; ${later}`, isCalm: true }
}

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
