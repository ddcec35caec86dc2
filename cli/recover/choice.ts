/**
 * Decides whether a cluster needs an operator's choice, what each choice is known to
 * lose, and what is written for it. Pure.
 * Invariant: never while somebody leads or can be elected without an operator's help.
 */

import { UserError } from '../../local/script.ts'
import type { ClusterState } from '../../wire/znodes.ts'
import { compare, type End } from './log-ends.ts'
import type { KnownWorker, Survey } from './survey.ts'

export type Situation =
  | { readonly kind: 'led'; readonly master: string }
  | { readonly kind: 'electable'; readonly workers: readonly string[] }
  | { readonly kind: 'inSyncGone' | 'memoryLost' }
  | { readonly kind: 'new' }

export function situationOf({ node, workers }: Survey): Situation {
  const state = node?.state
  const master = workers.find(({ id, live }) => {
    return id === state?.master && live?.role === 'master' && live.term === state.term
  })
  if (master !== undefined) return { kind: 'led', master: master.id }
  if (workers.some(({ live }) => live?.role === 'fenced')) return { kind: 'memoryLost' }
  if (state === undefined || state.term === 0) {
    const withData = workers.some(({ live, place }) => live?.clusterId || place !== null)
    return { kind: withData && state === undefined ? 'memoryLost' : 'new' }
  }
  const electable = workers.filter(({ id, live }) => state.inSync.includes(id) && isSound(live))
  if (electable.length === 0) return { kind: 'inSyncGone' }
  return { kind: 'electable', workers: electable.map(({ id }) => id) }
}

const isSound = (live: KnownWorker['live']): boolean => live !== null && !live.diverged

/** Where its log ends, or ended when it was seen last; null: nobody knows. */
export const endOf = ({ live, missing }: KnownWorker): End | null =>
  live?.last ?? missing?.last ?? null

export function bestOf(workers: readonly KnownWorker[]): readonly KnownWorker[] {
  const sound = workers.filter(({ live }) => isSound(live) && live?.clusterId)
  const ends = sound.flatMap(worker => endOf(worker) ?? [])
  const best = ends.sort(compare).at(-1)
  return sound.filter(worker => {
    const end = endOf(worker)
    return best !== undefined && end !== null && compare(end, best) === 0
  })
}

export interface Loss {
  /** The furthest end that anybody is known to have, when it is beyond the survivor's. */
  readonly upTo: End | null
  /** Nobody knows where the survivor's own log ends. */
  readonly unknown: boolean
  /** Others of which nobody knows where their logs ended: they may have had more. */
  readonly unseen: readonly string[]
}

export function lossOf(survivor: KnownWorker, { workers }: Survey): Loss {
  const own = endOf(survivor)
  const furthest = workers
    .flatMap(worker => endOf(worker) ?? [])
    .sort(compare)
    .at(-1)
  const unseen = workers.filter(one => one !== survivor && endOf(one) === null).map(({ id }) => id)
  if (own === null || furthest === undefined)
    return { upTo: furthest ?? null, unknown: own === null, unseen }
  return { upTo: compare(furthest, own) > 0 ? furthest : null, unknown: false, unseen }
}

/** @throws UserError when these cannot be gone on with */
export function chosen(found: Survey, ids: readonly string[]): readonly KnownWorker[] {
  const survivors = ids.map(id => {
    const known = found.workers.filter(worker => worker.id.startsWith(id))
    if (known.length === 1) return known[0] as KnownWorker
    const all = found.workers.map(worker => worker.id).join(', ')
    throw new UserError(`${id} is ${known.length === 0 ? 'no' : 'more than one'} worker of: ${all}`)
  })
  const [first] = survivors
  if (first === undefined) return []
  for (const { id, live } of survivors) {
    if (live?.clusterId === null) throw new UserError(`${id} has no data yet`)
  }
  const end = endOf(first)
  for (const other of survivors.slice(1)) {
    const ends = endOf(other)
    if (end === null || ends === null || compare(end, ends) !== 0) {
      throw new UserError(`${first.id} and ${other.id} do not hold the same: choose one of them`)
    }
  }
  return survivors
}

/** Workers that count and are not registered, but run: they could go on as if nothing had been chosen. */
export function loose({ node, workers }: Survey, survivors: readonly KnownWorker[]) {
  return workers.filter(
    worker =>
      worker.live === null &&
      worker.place?.pid != null &&
      node?.state.inSync.includes(worker.id) === true &&
      !survivors.includes(worker)
  )
}

/** What is written: the survivors elect one of themselves. @throws UserError when their cluster is not known */
export function newState(
  { node, workers }: Survey,
  survivors: readonly KnownWorker[]
): ClusterState {
  const [first] = survivors
  const clusterId = first?.live?.clusterId ?? node?.state.clusterId
  if (clusterId === undefined) {
    throw new UserError(`${first?.id} does not run: start it, so that it shows whose data it has`)
  }
  const terms = workers.flatMap(({ live, missing }) => [
    live?.term ?? 0,
    live?.last.term ?? 0,
    missing?.last?.term ?? 0
  ])
  const term = 1 + Math.max(node?.state.term ?? 0, ...terms)
  const inSync = survivors.map(({ id }) => id)
  return { clusterId, term, master: null, inSync, keepDiverged: term }
}
