/**
 * What may be wished of workers: that one leaves, or that the master of a term makes
 * room for another. A master whose data is wrong makes room unasked. Wishes only choose among what is safe anyway: who leaves is
 * removed as one that is lost would be, never below `minCopies`; a master makes room
 * by an ordinary election, begun when every member has all that it has.
 */
import type { Leader, State } from './state.ts'

/** It takes no reads, and leads only if nobody else does; it follows and confirms as ever. */
export const isFrozen = (state: State): boolean => state.frozen.includes(state.self.id)

export const isLeaving = (state: State): boolean => state.wishes.leaving.includes(state.self.id)

/** Its data is wrong: as soon as another member can lead, that one must. */
export const isWrong = (state: State): boolean => state.diverged?.kind === 'rows'

/** Elected only when nobody else is: it leaves, is frozen, or was asked to make room and has done so. */
export function yields(state: State): boolean {
  const cluster = state.known?.state
  const madeRoom = cluster?.master === state.self.id && cluster.term === state.wishes.handoverOf
  return isLeaving(state) || isFrozen(state) || madeRoom
}

export const isDraining = (role: Leader): boolean => typeof role.draining === 'object'

/**
 * Begins to drain when that is wished of this term. Writes wait meanwhile: a member that
 * cannot follow must not hold them up for long, so that the wish is then given up. A master whose
 * data is wrong does not give up while there is a successor.
 */
export function drain(state: State, role: Leader, nowMs: number): Leader {
  const { draining } = role
  if (isWrong(state)) {
    if (!hasSuccessor(state, role)) return draining === 'no' ? role : { ...role, draining: 'no' }
    return isDraining(role) ? role : { ...role, draining: { sinceMs: nowMs } }
  }
  if (role.term !== state.wishes.handoverOf) {
    return draining === 'no' ? role : { ...role, draining: 'no' }
  }
  if (draining === 'given up') return role
  if (draining === 'no') {
    return hasSuccessor(state, role) ? { ...role, draining: { sinceMs: nowMs } } : role
  }
  const isLate = nowMs - draining.sinceMs >= state.settings.replicaTimeoutMs
  return isLate ? { ...role, draining: 'given up' } : role
}

/**
 * The data here is wrong, and the only others that could lead have entries that this log does
 * not have. They confirm nothing, so there is nothing to wait for; their rows are right.
 */
export function mustGiveWay(state: State, role: Leader): boolean {
  if (!isWrong(state) || hasSuccessor(state, role)) return false
  return role.members.some(id => {
    const peer = state.peers?.get(id)
    if (id === state.self.id || peer === undefined) return false
    return peer.reachesAmqp && peer.diverged && peer.inDoubt !== true
  })
}

function hasSuccessor(state: State, role: Leader): boolean {
  return role.members.some(id => {
    const peer = state.peers?.get(id)
    if (id === state.self.id || peer === undefined) return false
    return peer.reachesAmqp && !peer.diverged && !peer.yields
  })
}

/** Everything here is committed, and so with every member: none of them needs to be cloned. */
export function hasDrained(state: State, role: Leader): boolean {
  if (!isDraining(role) || state.working !== null || state.casPending) return false
  return state.commitIndex === state.last.index
}
