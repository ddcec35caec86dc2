/**
 * What a worker has stored tells it when ZooKeeper has lost its memory: then it fences
 * itself, until `/state` is again one that it can believe, because an operator wrote a
 * term above all of theirs, or the memory came back. It then goes on as after a start.
 */
import type { Known, State, Step } from './state.ts'
import { knownTermOf, stay, withRole } from './steps.ts'

/** Reads of `/state` in a row that are behind the stored term before its memory counts as lost. */
const FORGOTTEN_READS = 3

type Read = Omit<Known, 'beganMs'>

/** Below what is stored here: another cluster's, or a memory that was lost. */
export function isBehind(state: State, { state: cluster, version }: Read): boolean {
  if (cluster.clusterId !== state.clusterId || cluster.term < state.term) return true
  return cluster.term === state.term && version < state.stateVersion
}

/** Older than what is known already: a server that lags. A higher term is news at any version. */
export function isStale(state: State, { state: cluster, version }: Read): boolean {
  const { known } = state
  if (known === null || cluster.term !== known.state.term) {
    return cluster.term < knownTermOf(state)
  }
  return version < known.version
}

export function forgotten(state: State, beganMs: number): Step {
  const count = state.forgotten + 1
  const { known } = state
  // A read that began before the term was learned may be behind; a row of them is not.
  if (count < FORGOTTEN_READS || (known !== null && beganMs <= known.beganMs)) {
    return stay({ ...state, forgotten: count })
  }
  const trouble = 'ZooKeeper has lost its memory of this cluster; see `npm run recover`'
  // What was seen last, and not only what is stored, has to be there again.
  const seen = known?.state.term === state.term ? known.version : 0
  const stateVersion = Math.max(state.stateVersion, seen)
  // What no longer leads is no measure of a log: its end says what it is worth to an operator.
  const diverged = state.diverged?.kind === 'log' ? null : state.diverged
  const fenced = withRole({ ...state, diverged }, { kind: 'fenced', trouble })
  return stay({ ...fenced, stateVersion, forgotten: count })
}

/** `/state` can be believed. What was known before the loss says nothing any more. */
export function believe(state: State): State {
  const sound: State = { ...state, forgotten: 0 }
  if (state.role.kind !== 'fenced') return sound
  return { ...withRole(sound, { kind: 'waiting' }), known: null }
}
