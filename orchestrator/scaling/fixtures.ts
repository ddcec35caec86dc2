/**
 * A cluster in numbers, for the tests of the policies: a load goes in, replicas follow
 * what is wanted some seconds later.
 */
import { scale } from './scale.ts'
import type { ScalingSettings } from './settings.ts'
import type { ScalingState } from './state.ts'

export const SETTINGS: ScalingSettings = {
  ...{ policy: 'window', count: 3, min: 2, max: 5, isMaxChosen: true },
  ...{ windowS: 120, readsPerReplica: 20, readsPerS: 100, coolDownS: 30 }
}

export interface World {
  readonly settings: ScalingSettings
  /** Reads asked for in each second. */
  readonly load: readonly number[]
  /** Percent of a core that a read per second costs, and that each replica costs idle. */
  readonly cpu?: { readonly perRead: number; readonly idle: number }
  /** Of the machine; those that replicas do not keep busy are idle. */
  readonly cores?: number
}

/** A replica serves so long after it was wanted. */
const FOLLOWS_S = 3

/** @returns replicas wanted after each second */
export function wantedBySecond({ settings, load, cpu, cores = 64 }: World): number[] {
  const { perRead, idle } = cpu ?? { perRead: 0, idle: 0 }
  const nobody = {
    ...{ atMs: -1_000, reads: new Map<string, number>(), cpuPercent: [] },
    ...{ readLoadPercent: [], cores, idleCores: cores }
  }
  let state: ScalingState = scale(null, nobody, settings)
  let total = 0
  const wanted: number[] = []
  for (const [second, reads] of load.entries()) {
    total += reads
    const running = wanted[second - FOLLOWS_S] ?? settings.min
    const forReads = Math.min(100, (100 * cores) / running, (reads * perRead) / running)
    const each = Math.min(100, idle + forReads)
    const seen = {
      atMs: second * 1_000,
      reads: new Map([['o', total]]),
      cpuPercent: Array.from({ length: running }, () => each),
      readLoadPercent: Array.from({ length: running }, () => forReads),
      cores,
      idleCores: Math.max(0, cores - (running * each) / 100)
    }
    state = scale(state, seen, settings)
    wanted.push(state.wanted)
  }
  return wanted
}

/** Each change, and the second in which it came. */
export const changesOf = (wanted: readonly number[]): { second: number; by: number }[] =>
  wanted.flatMap((number, second) => {
    const by = number - (wanted[second - 1] ?? number)
    return by === 0 ? [] : [{ second, by }]
  })

const SPAN = { sinceMs: 0, reads: 0, cpuPercent: 0, readLoadPercent: 0, idleCores: 0, samples: 0 }

/** What ZooKeeper holds after this decision of the policy `window`, `reads` reads later. */
export function decidedByWindow(change: {
  readonly from: number
  readonly to: number
  readonly reason: string
  readonly reads?: number
}) {
  const { from, to, reason, reads = 0 } = change
  return {
    wanted: to,
    decision: { at: 'a', policy: 'window', from, to, reason },
    span: { ...SPAN, reads },
    policy: 'window',
    seenAtMs: 0,
    changedAtMs: 0,
    calmSinceMs: 0,
    counted: {}
  } as const
}
