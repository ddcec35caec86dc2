/**
 * Who has to have an entry before it is acknowledged, and how far that has come.
 * Keeps NAMED: while a change of the in-sync set is unsettled, every member of the
 * old and of the new set counts, and each set has `minCopies` members.
 */
import { isContactFresh } from './grace.ts'
import type { Leader, Progress, State } from './state.ts'

export const NOTHING: Progress = { index: 0, barrier: 0, joining: false, due: null }

/** Every worker whose confirmation counts now, this one included. */
export function counting(role: Leader): readonly string[] {
  return role.change === null ? role.members : [...new Set([...role.members, ...role.change])]
}

function enoughCopies(state: State, role: Leader): boolean {
  const { minCopies } = state.settings
  return role.members.length >= minCopies && (role.change?.length ?? minCopies) >= minCopies
}

/** The highest index that counts as committed; never below what was committed before. */
export function commitIndexOf(state: State, role: Leader): number {
  if (role.first === null || !enoughCopies(state, role)) return state.commitIndex
  let index = state.last.index
  for (const id of counting(role)) {
    if (id !== state.self.id) index = Math.min(index, role.progress.get(id)?.index ?? 0)
  }
  // What earlier terms left is committed only with the first entry of this one.
  return index >= role.first ? Math.max(index, state.commitIndex) : state.commitIndex
}

/** The highest barrier that every counting worker has confirmed in this term. */
export function passedBarrierOf(state: State, role: Leader): number {
  let barrier = role.barrier
  for (const id of counting(role)) {
    if (id !== state.self.id) barrier = Math.min(barrier, role.progress.get(id)?.barrier ?? 0)
  }
  return barrier
}

/** The in-sync set as it should be: without who is lost or leaves, with who is level, asks, and owes nothing for too long. */
export function wantedMembers(state: State, role: Leader, nowMs: number): readonly string[] {
  const lost = role.members.filter(id => isLost(state, role, { id, nowMs }))
  const leaving = role.members.filter(id => !lost.includes(id) && mayLeave(state, id))
  const able = [...role.progress.keys()].filter(id => mayJoin(state, role, id))
  // Else two that are slow would take each other's place again and again.
  const joining = able.filter(id => !isLost(state, role, { id, nowMs }))
  const going = [...leaving, ...lost]
  const wanted = [...role.members.filter(id => !going.includes(id)), ...joining]
  // A removal never leaves fewer than minCopies: the dead stay named, and writes wait.
  const missing = Math.max(0, state.settings.minCopies - wanted.length)
  return [...wanted, ...going.slice(0, missing)]
}

const mayLeave = (state: State, id: string): boolean =>
  id !== state.self.id && state.wishes.leaving.includes(id)

function isLost(state: State, role: Leader, who: { id: string; nowMs: number }): boolean {
  if (who.id === state.self.id) return false
  const peer = state.peers?.get(who.id)
  if (peer?.diverged === true) return true
  // Its session may have ended with this one's: then only its silence tells.
  const isAbsent = state.peers !== null && peer === undefined
  if (isAbsent && !isContactFresh(state, who.nowMs)) return true
  const due = role.progress.get(who.id)?.due
  return due !== undefined && due !== null && due.atMs <= who.nowMs
}

function mayJoin(state: State, role: Leader, id: string): boolean {
  const progress = role.progress.get(id)
  const peer = state.peers?.get(id)
  if (progress === undefined || peer === undefined || role.first === null) return false
  if (!progress.joining || peer.diverged || role.members.includes(id)) return false
  if (state.wishes.leaving.includes(id)) return false
  return progress.index >= Math.max(role.first, state.commitIndex)
}

/** What may not be pruned anywhere: the entries behind this index. */
export function keepAfterOf(state: State, role: Leader): number {
  let index = Math.min(state.last.index, commitIndexOf(state, role))
  for (const id of counting(role)) {
    if (id !== state.self.id) index = Math.min(index, role.progress.get(id)?.index ?? 0)
  }
  for (const peer of state.peers?.values() ?? []) {
    if (peer.needsFrom !== null) index = Math.min(index, peer.needsFrom)
  }
  return index
}
