/**
 * A replica: checks its log against the master's, takes entries in order, applies
 * and confirms them. Drawn in docs/protocol.md.
 * Keeps TERM and MATCHED (state.ts).
 */
import { checksumOf, type Entry, positionOf } from '../entry.ts'
import { diverge, startOver } from './diverge.ts'
import type { Append, Pruned } from './messages.ts'
import type { Follower, State, Step } from './state.ts'
import { firstWithin, isNamed, sizeOf, stay, step, withRole } from './steps.ts'

/** Entries held beyond `last`, and their bytes; what does not fit is fetched later. */
const PENDING_MAX = 8_192
const PENDING_BYTES = 64 * 1024 * 1024
/** Bytes applied in one transaction. */
const APPLY_BYTES = 4 * 1024 * 1024
const FETCH_RETRY_MS = 100

/** Follows the master of `term`; its log is compared anew. */
export function follow(
  state: State,
  leader: { term: number; master: string; held?: Append }
): Step {
  const role: Follower = {
    kind: 'follower',
    term: leader.term,
    master: leader.master,
    ackTo: null,
    matched: false,
    tail: state.last,
    pending: [],
    barrier: 0,
    fetchedAtMs: Number.NEGATIVE_INFINITY,
    held: leader.held ?? null
  }
  // Another master's log may be the one that this one belongs to.
  const diverged = state.diverged?.kind === 'log' ? null : state.diverged
  const next = withRole({ ...state, diverged }, role)
  return leader.term > state.term ? step(next, { do: 'remember', term: leader.term }) : stay(next)
}

export function onAppend(state: State, message: Append, nowMs: number): Step {
  const { role } = state
  if (message.from === state.self.id || role.kind === 'fenced') return stay(state)
  if (message.term < state.term) return refuse(state, message) // TERM
  const isLater = role.kind !== 'follower' || role.term < message.term
  if (state.diverged !== null && !(isLater && state.diverged.kind === 'log')) return stay(state)
  if (role.kind === 'candidate' && message.term < role.term) return stay(state) // STAND
  if (role.kind === 'leader' && message.term === role.term) return stay(state)
  if (role.kind !== 'follower' || role.term < message.term) {
    return follow(state, { term: message.term, master: message.from, held: message })
  }
  if (message.term !== role.term) return stay(state)
  // TERM: nothing is taken before the term is stored.
  if (state.term !== role.term) return hold(state, role, message)
  const heard: Follower = { ...role, ackTo: message.ackTo }
  if (heard.matched) return take(withRole(state, heard), heard, message, nowMs)
  return match(withRole(state, heard), heard, message, nowMs)
}

const hold = (state: State, role: Follower, message: Append): Step =>
  stay(withRole(state, { ...role, held: message }))

/** Takes up what had to wait, once the term is stored and the log stands still. */
export function resume(state: State, nowMs: number): Step {
  const { role } = state
  if (role.kind !== 'follower' || role.held === null || state.working !== null) return stay(state)
  if (state.term !== role.term) return stay(state)
  return onAppend(withRole(state, { ...role, held: null }), role.held, nowMs)
}

/** MATCHED: equal checksums at an index mean equal logs up to it. */
function match(state: State, role: Follower, message: Append, nowMs: number): Step {
  if (state.working !== null) return hold(state, role, message) // `last` is about to move
  const { last } = state
  const same = (checksum: string): Step => {
    if (checksum !== last.checksum) return diverge(state, 'log', { nowMs })
    const matched: Follower = { ...role, matched: true, tail: last, pending: [] }
    return take(withRole(state, matched), matched, message, nowMs)
  }
  if (message.prev.index === last.index) return same(message.prev.checksum)
  if (message.prev.index > last.index) return fetch(state, role, nowMs)
  const ours = message.entries.find(entry => entry.index === last.index)
  if (ours !== undefined) return same(ours.checksum)
  const end = message.entries.at(-1) ?? message.prev
  // The message ends below our log: only a difference there would say anything.
  const { index, checksum } = end
  return step(state, { do: 'compare', term: role.term, index, checksum })
}

function take(state: State, role: Follower, message: Append, nowMs: number): Step {
  if (message.prev.index > role.tail.index) {
    const gap = fetch(state, role, nowMs)
    return heardBarrier(gap, message)
  }
  const fresh = following(role, message)
  if (fresh === 'differs') return diverge(state, 'log', { nowMs })
  const room =
    role.pending.length + fresh.length <= PENDING_MAX &&
    (role.pending.length === 0 || bytesOf(role.pending) + bytesOf(fresh) <= PENDING_BYTES)
  const taken = room ? fresh : []
  const newest = taken.at(-1)
  const next: State = {
    ...state,
    commitIndex: Math.max(state.commitIndex, message.commitIndex),
    keepAfter: message.keepAfter,
    role: {
      ...role,
      tail: newest === undefined ? role.tail : positionOf(newest),
      pending: taken.length === 0 ? role.pending : [...role.pending, ...taken]
    }
  }
  return heardBarrier(stay(next), message)
}

/** The entries of `message` behind the tail, checked to continue it. */
function following(role: Follower, message: Append): readonly Entry[] | 'differs' {
  let { index, checksum } = message.prev
  let fresh = message.entries
  if (index < role.tail.index) {
    const overlap = message.entries.findIndex(entry => entry.index === role.tail.index)
    if (overlap < 0) return []
    ;({ index, checksum } = message.entries[overlap] as Entry)
    fresh = message.entries.slice(overlap + 1)
  }
  if (checksum !== role.tail.checksum) return 'differs'
  for (const entry of fresh) {
    // Damaged on the way: dropped, and fetched again as a gap.
    if (entry.index !== index + 1 || checksumOf(checksum, entry) !== entry.checksum) return []
    ;({ index, checksum } = entry)
  }
  return fresh
}

function heardBarrier(first: Step, message: Append): Step {
  const { role } = first.state
  if (role.kind !== 'follower' || message.barrier <= role.barrier) return first
  const state = withRole(first.state, { ...role, barrier: message.barrier })
  return { state, effects: [...first.effects, ...confirm(state).effects] }
}

/** Says what is durable here. Only ever of the stored term and a matched log (TERM, MATCHED). */
export function confirm(state: State): Step {
  const { role, last } = state
  if (role.kind !== 'follower' || !role.matched || role.ackTo === null) return stay(state)
  const message = {
    kind: 'confirm',
    term: role.term,
    from: state.self.id,
    index: last.index,
    checksum: last.checksum,
    barrier: role.barrier,
    joining: !isNamed(state)
  } as const
  return step(state, { do: 'send', to: role.ackTo, message })
}

function fetch(state: State, role: Follower, nowMs: number): Step {
  if (role.ackTo === null || nowMs - role.fetchedAtMs < FETCH_RETRY_MS) return stay(state)
  if (!state.postgres) return stay(state) // nothing could be done with it
  const message = {
    kind: 'fetch',
    term: role.term,
    from: state.self.id,
    queue: state.queue,
    after: role.matched ? role.tail.index : state.last.index
  } as const
  const next = withRole(state, { ...role, fetchedAtMs: nowMs })
  return step(next, { do: 'send', to: role.ackTo, message })
}

function refuse(state: State, message: Append): Step {
  const refusal = { kind: 'refuse', term: state.term, from: state.self.id } as const
  return step(state, { do: 'send', to: message.ackTo, message: refusal })
}

export function onPruned(state: State, message: Pruned, nowMs: number): Step {
  const { role } = state
  if (role.kind !== 'follower' || role.term !== message.term) return stay(state)
  return diverge(state, 'pruned', { nowMs })
}

/** What a replica does by itself, whatever just happened. */
export function advanceFollower(state: State, nowMs: number): Step {
  const { role } = state
  if (role.kind !== 'follower') return stay(state)
  if (state.diverged !== null) return startOver(state, nowMs)
  if (!role.matched || role.pending.length === 0 || state.working !== null) return stay(state)
  if (!state.postgres) return stay(state)
  const entries = firstWithin(role.pending, APPLY_BYTES)
  const next: State = {
    ...state,
    working: 'applying',
    role: { ...role, pending: role.pending.slice(entries.length) }
  }
  return step(next, { do: 'apply', term: role.term, entries })
}

const bytesOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
