/**
 * A master: begins its term with an empty entry, sends what it executed, counts
 * confirmations, changes the in-sync set, and lets answers go up to the commit
 * index. Drawn in docs/protocol.md. Keeps NAMED and TERM (state.ts).
 */
import { type Entry, positionOf } from '../entry.ts'
import { follow } from './follow.ts'
import { commitIndexOf, counting, keepAfterOf, NOTHING, wantedMembers } from './members.ts'
import type { Append, Confirm, Fetch } from './messages.ts'
import { ChecksumTail, type Leader, type Progress, type State, type Step } from './state.ts'
import { firstWithin, ifLeader, sizeOf, stay, step, then, withRole } from './steps.ts'
import { drain, hasDrained, mustGiveWay } from './wishes.ts'

/**
 * Characters of the entries that are sent at once: RabbitMQ ends a channel that brings it 128 MiB.
 * What is behind them shows as a gap in the next message, and is fetched.
 */
const ANNOUNCED_MAX = 32 * 1024 * 1024

/** What a replica applies at least, where it is well: large entries have so much more time. */
const APPLIED_PER_MS = 4_096

/** Elected: the term begins with an entry of its own, whatever came before. */
export function lead(state: State, elected: { term: number; members: readonly string[] }): Step {
  const role: Leader = {
    kind: 'leader',
    term: elected.term,
    first: null,
    members: elected.members,
    change: null,
    progress: new Map(),
    barrier: 0,
    sentAtMs: Number.NEGATIVE_INFINITY,
    sentCommit: 0,
    checksums: new ChecksumTail(state.last),
    newest: { index: 0, size: 0 },
    withoutAmqpSinceMs: null,
    draining: 'no'
  }
  // Its log is the cluster's from now on, whatever another master's was.
  const next: State = { ...state, working: 'beginning', diverged: null, role }
  return step(next, { do: 'beginTerm', term: elected.term })
}

/** The log here has grown by `entries`: send them on at once. */
export function onEntries(
  state: State,
  role: Leader,
  entries: readonly Entry[],
  nowMs: number
): Step {
  const newest = entries.at(-1)
  if (newest === undefined) return stay(state)
  role.checksums.push(entries)
  const prev = state.last
  const grown: State = { ...state, last: positionOf(newest) }
  const size = entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
  const leader: Leader = {
    ...role,
    first: role.first ?? newest.index,
    newest: { index: newest.index, size }
  }
  const announced = firstWithin(entries, ANNOUNCED_MAX)
  return announce(withRole(grown, leader), leader, { prev, entries: announced, nowMs })
}

function announce(
  state: State,
  role: Leader,
  news: { prev: Append['prev']; entries: readonly Entry[]; nowMs: number }
): Step {
  const message = append(state, role, news)
  const sent: Leader = { ...role, sentAtMs: news.nowMs, sentCommit: state.commitIndex }
  return step(withRole(state, sent), { do: 'send', to: { exchange: 'sync' }, message })
}

function append(
  state: State,
  role: Leader,
  news: { prev: Append['prev']; entries: readonly Entry[] }
): Append {
  return {
    kind: 'append',
    term: role.term,
    from: state.self.id,
    ackTo: state.ackQueue,
    prev: { index: news.prev.index, checksum: news.prev.checksum },
    commitIndex: state.commitIndex,
    barrier: role.barrier,
    keepAfter: keepAfterOf(state, role),
    entries: news.entries
  }
}

/** A heartbeat shows lost messages, releases reads, and asks every replica for a sign of life. */
export function raiseBarrier(state: State, role: Leader, nowMs: number): Step {
  if (role.first === null) return stay(state)
  const raised: Leader = { ...role, barrier: role.barrier + 1 }
  return announce(withRole(state, raised), raised, { prev: state.last, entries: [], nowMs })
}

export function onConfirm(state: State, role: Leader, message: Confirm): Step {
  if (message.term !== role.term) return stay(state)
  const before = role.progress.get(message.from) ?? NOTHING
  // TERM: counted only in the own term and with the own checksum at that index.
  const equal = role.checksums.at(message.index) === message.checksum
  const index = equal ? Math.max(before.index, message.index) : before.index
  const barrier = Math.max(before.barrier, message.barrier)
  const owes = before.due !== null && (index < before.due.index || barrier < before.due.barrier)
  const after: Progress = {
    index,
    barrier,
    // A member that has not read so yet asks for nothing, and not for after its removal either.
    joining: message.joining && !role.members.includes(message.from),
    due: owes ? before.due : null
  }
  const progress = new Map(role.progress).set(message.from, after)
  return stay(withRole(state, { ...role, progress }))
}

export function onFetch(state: State, role: Leader, message: Fetch): Step {
  if (message.term !== role.term || role.first === null) return stay(state)
  const frame = append(state, role, { prev: state.last, entries: [] })
  return step(state, { do: 'serve', to: message.queue, after: message.after, append: frame })
}

/** What a master does by itself, whatever just happened. */
export function advanceLeader(state: State, role: Leader, nowMs: number): Step {
  if (mustMakeRoom(state, role, nowMs) || mustGiveWay(state, role)) return makeRoom(state, role)
  const charged = withRole(state, drain(state, charge(state, role, nowMs), nowMs))
  const changed = ifLeader(charged, now => changeMembers(charged, now, nowMs))
  const told = then(changed, next => ifLeader(next, now => commitAndTell(next, now, nowMs)))
  return then(told, next =>
    ifLeader(next, now => (hasDrained(next, now) ? makeRoom(next, now) : stay(next)))
  )
}

/** It leads no more, and its znode says so: the members elect one of them. */
const makeRoom = (state: State, { term }: Leader): Step =>
  follow(state, { term, master: state.self.id })

/** Unreachable for its replicas while one of them could lead, or without its database. */
function mustMakeRoom(state: State, role: Leader, nowMs: number): boolean {
  if (!state.postgres) return true
  const sinceMs = role.withoutAmqpSinceMs
  return sinceMs !== null && nowMs - sinceMs >= state.settings.replicaTimeoutMs
}

/** Since when another member reaches RabbitMQ and this one does not. */
function withoutAmqpSince(state: State, role: Leader, nowMs: number): number | null {
  if (state.amqp) return null
  const others = role.members.filter(id => id !== state.self.id)
  const reached = others.some(id => state.peers?.get(id)?.reachesAmqp === true)
  return reached ? (role.withoutAmqpSinceMs ?? nowMs) : null
}

/**
 * Notes until when each member has to confirm what was sent. Time without RabbitMQ does not count,
 * nor time in which it takes no messages: then nobody can confirm anything.
 */
function charge(state: State, role: Leader, nowMs: number): Leader {
  const withoutAmqpSinceMs = withoutAmqpSince(state, role, nowMs)
  const mayHear = state.amqp && !state.blocked
  let progress: Map<string, Progress> | null = null
  for (const id of counting(role)) {
    if (id === state.self.id) continue
    const of = role.progress.get(id) ?? NOTHING
    const owes = of.index < state.last.index || of.barrier < role.barrier
    if (owes === (of.due !== null) && (mayHear || of.due === null)) continue
    const applyMs = of.index < role.newest.index ? role.newest.size / APPLIED_PER_MS : 0
    const atMs = nowMs + state.settings.replicaTimeoutMs + applyMs
    const due = owes && mayHear ? { index: state.last.index, barrier: role.barrier, atMs } : null
    progress ??= new Map(role.progress)
    progress.set(id, { ...of, due })
  }
  if (progress === null && withoutAmqpSinceMs === role.withoutAmqpSinceMs) return role
  return { ...role, withoutAmqpSinceMs, progress: progress ?? role.progress }
}

function changeMembers(state: State, role: Leader, nowMs: number): Step {
  const { known } = state
  if (known === null || state.casPending || role.change !== null || !state.session)
    return stay(state)
  const wanted = wantedMembers(state, role, nowMs)
  const same =
    wanted.length === role.members.length && wanted.every(id => role.members.includes(id))
  if (same) return stay(state)
  const to = { ...known.state, inSync: wanted }
  const next: State = { ...state, casPending: true, role: { ...role, change: wanted } }
  return step(next, { do: 'cas', version: known.version, to })
}

function commitAndTell(state: State, role: Leader, nowMs: number): Step {
  const commitIndex = commitIndexOf(state, role)
  const next = commitIndex === state.commitIndex ? state : { ...state, commitIndex }
  const silentMs = nowMs - role.sentAtMs
  if (silentMs >= state.settings.heartbeatMs) return raiseBarrier(next, role, nowMs)
  // A batch that is being executed will carry the news.
  if (commitIndex === role.sentCommit || state.working === 'executing') return stay(next)
  return announce(next, role, { prev: next.last, entries: [], nowMs })
}
