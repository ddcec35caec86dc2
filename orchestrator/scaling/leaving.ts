/**
 * Who goes when there are more workers than wanted. Pure.
 * Invariants:
 * - A worker that serves goes by leaving: it takes no more reads, finishes those it has,
 *   and the master removes it from the in-sync set, before it is ended.
 * - One at a time, and never the master.
 */
import { type Cluster, masterOf } from '../cluster-view.ts'
import type { Place } from '../runtimes/runtime.ts'

export interface Going {
  /** Nothing rests on them: they may be discarded, with their data. */
  readonly now: readonly Place[]
  /** Ids of workers that are wished to leave. */
  readonly leaving: readonly string[]
}

/** @param count how many there are too many */
export function going(
  { places, cluster }: { places: readonly Place[]; cluster: Cluster },
  count: number
): Going {
  const { state, wishes } = cluster
  const others = places.filter(({ workerId }) => workerId === null || workerId !== state?.master)
  const chosen = others.toSorted((a, b) => byWorth(cluster, a, b)).slice(0, Math.max(0, count))
  const now = chosen.filter(place => isIdle(cluster, place))
  const wished = chosen.filter(place => !now.includes(place)).slice(0, 1)
  // Those that have left stay wished away until they are gone, or they would join again.
  const left = now.filter(({ pid }) => pid !== null)
  const leaving = [...left, ...wished].flatMap(({ workerId }) => workerId ?? [])
  // An election is no time to send somebody away.
  return { now, leaving: masterOf(cluster) === null ? wishes.leaving : leaving }
}

/** Neither named by `/state` nor about to be. */
function isIdle({ state, workers, wishes }: Cluster, { workerId, pid }: Place): boolean {
  if (workerId === null) return true
  if (state?.inSync.includes(workerId)) return false
  if (pid === null || workers.get(workerId)?.role === 'left') return true
  // Frozen until its session ended: the master has removed it, and takes it back no more.
  return wishes.leaving.includes(workerId) && !workers.has(workerId)
}

/** The least missed first: of those that serve reads, the youngest. */
function byWorth(cluster: Cluster, a: Place, b: Place): number {
  const rank = rankOf(cluster, a) - rankOf(cluster, b)
  if (rank !== 0) return rank
  const since = sinceOf(cluster, b).localeCompare(sinceOf(cluster, a))
  return since !== 0 ? since : (b.pid ?? 0) - (a.pid ?? 0)
}

function rankOf(cluster: Cluster, place: Place): number {
  const { workers, wishes } = cluster
  if (isIdle(cluster, place)) return 0
  if (wishes.leaving.includes(place.workerId ?? '')) return 1
  return workers.get(place.workerId ?? '')?.role === 'replica' ? 3 : 2
}

const sinceOf = ({ workers }: Cluster, { workerId }: Place): string =>
  workers.get(workerId ?? '')?.since ?? ''
