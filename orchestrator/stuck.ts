/**
 * Says why nobody can be elected, when that will not pass by itself: every in-sync
 * worker is gone, or ZooKeeper has lost its memory. Pure; who was seen last, and where,
 * is remembered from one view of the cluster to the next.
 */
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, masterOf } from './cluster-view.ts'

/** A worker that `/state` names and that is not there. */
export interface Absence {
  /** When it was missed first; it may have been gone before this orchestrator looked. */
  readonly sinceMs: number
  /** Where its log ended when it was seen last, about a second old; null: never seen. */
  readonly last: WorkerNode['last'] | null
}

export type Absences = ReadonlyMap<string, Absence>

export interface Missing {
  readonly id: string
  readonly goneForMs: number
  readonly last: WorkerNode['last'] | null
}

export interface Stuck {
  readonly why: 'inSyncGone' | 'memoryLost'
  /** What is missing and what to do, in words for an operator. */
  readonly message: string
  readonly missing: readonly Missing[]
}

export function noteAbsences(
  known: Absences,
  { before, after }: { before: Cluster; after: Cluster },
  nowMs: number
): Absences {
  const named = after.known ? (after.state?.inSync ?? []) : []
  return new Map(
    named
      .filter(id => !after.workers.has(id))
      .map(id => {
        const last = before.workers.get(id)?.last ?? null
        return [id, known.get(id) ?? { sinceMs: nowMs, last }]
      })
  )
}

export function stuckOf(cluster: Cluster, absences: Absences, nowMs: number): Stuck | null {
  if (!cluster.known || masterOf(cluster) !== null) return null
  const { state, workers } = cluster
  const missing = [...absences].map(([id, { sinceMs, last }]) => {
    return { id, goneForMs: Math.round(nowMs - sinceMs), last }
  })
  if ([...workers.values()].some(({ role }) => role === 'fenced')) {
    return { why: 'memoryLost', message: MEMORY_LOST, missing }
  }
  const inSync = state?.inSync ?? []
  const stand = inSync.filter(id => workers.get(id)?.diverged === false)
  if (inSync.length === 0 || stand.length > 0) return null
  const doubtful = inSync.filter(id => workers.has(id)).map(id => `${id} differs`)
  const who = [...missing.map(text), ...doubtful].join('; ')
  const message = `nobody can be elected: every in-sync worker is gone (${who}). ${WHAT_TO_DO}`
  return { why: 'inSyncGone', message, missing }
}

const WHAT_TO_DO =
  'Bring one of them back with its data, or choose a survivor: `npm run recover` shows what would be lost'
const MEMORY_LOST =
  'ZooKeeper has lost its memory of this cluster, and the workers do not believe it: put its data back, ' +
  'or let the workers go on with what they have: `npm run recover`'

function text({ id, goneForMs, last }: Missing): string {
  const seen = last === null ? '' : `, last seen at index ${last.index} of term ${last.term}`
  return `${id} for ${(goneForMs / 1_000).toFixed(0)} s${seen}`
}
