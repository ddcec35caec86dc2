/**
 * The one door: an event changes what is known, then each role does what follows
 * from that. Pure (but for the append-only checksum tail): no clock, no socket,
 * no randomness; results of effects come back as events.
 */
import type { Wishes } from '../../wire/znodes.ts'
import { positionOf } from '../entry.ts'
import { diverge } from './diverge.ts'
import { advanceCandidate, mustStand, stand } from './elect.ts'
import { advanceFollower, confirm, follow, onAppend, onPruned, resume } from './follow.ts'
import { hear } from './grace.ts'
import { advanceLeader, lead, onConfirm, onEntries, onFetch, raiseBarrier } from './lead.ts'
import { counting } from './members.ts'
import { believe, forgotten, isBehind, isStale } from './memory.ts'
import type { Message } from './messages.ts'
import type { Event, Known, Peer, State, Step } from './state.ts'
import { ifLeader, isNamed, stay, step, then, withRole } from './steps.ts'

/** Over when there is room again, and not because the database answers. */
export const FULL = 'its disk is full'
const SILENT = 'its PostgreSQL does not answer'

export function handle(state: State, event: Event, nowMs: number): Step {
  const noted = note(state, event, nowMs)
  return then(
    then(noted, next => askState(next, nowMs)),
    next => advance(next, nowMs)
  )
}

function advance(state: State, nowMs: number): Step {
  switch (state.role.kind) {
    case 'follower':
    case 'waiting':
      return mustStand(state, nowMs)
        ? stand(state, nowMs)
        : then(resume(state, nowMs), next => advanceFollower(next, nowMs))
    case 'candidate':
      return advanceCandidate(state, state.role, nowMs)
    case 'leader':
      return advanceLeader(state, state.role, nowMs)
    case 'fenced':
      return stay(state)
  }
}

function note(state: State, event: Event, nowMs: number): Step {
  switch (event.kind) {
    case 'tick':
      return stay(state)
    case 'stateRead':
    case 'casSettled':
      return onState(state, event, nowMs)
    case 'stateChanged':
      return step(state, { do: 'readState' })
    case 'peers':
      return onPeers({ ...state, peersSeenMs: nowMs }, event.peers)
    case 'wishes':
      return onWishes(state, event.wishes, nowMs)
    case 'frozen':
      return stay({ ...state, frozen: event.ids })
    case 'sessionLost':
      return step({ ...state, session: false, sessionLostMs: nowMs }, { do: 'readState' })
    case 'contact':
      return stay({ ...state, contactMs: event.up ? nowMs : Number.POSITIVE_INFINITY })
    case 'amqpUp':
      return stay({
        ...{ ...state, amqp: true, blocked: false },
        ...{ queue: event.queue, ackQueue: event.ackQueue }
      })
    case 'amqpDown':
      return stay({ ...state, amqp: false, blocked: false })
    case 'amqpBlocked':
      return stay({ ...state, blocked: event.isBlocked })
    case 'differs':
      return doubt(state, event.tables.join(', '), nowMs)
    case 'postgres':
      return stay(onPostgres(state, event))
    case 'message':
      return onMessage(state, event.message, nowMs)
    case 'barrierWanted':
      return ifLeader(state, role => raiseBarrier(state, role, nowMs))
    default:
      return onFinished(state, event, nowMs)
  }
}

function onMessage(state: State, message: Message, nowMs: number): Step {
  if (message.kind === 'append') return onAppend(hear(state, message, nowMs), message, nowMs)
  if (message.kind === 'pruned') return onPruned(state, message, nowMs)
  const { role } = state
  if (role.kind !== 'leader') return stay(state)
  if (message.kind === 'confirm') return onConfirm(state, role, message)
  if (message.kind === 'fetch') return onFetch(state, role, message)
  // Told of a higher term: answer nothing more, and find out who leads.
  return message.term > role.term ? step(deposed(state), { do: 'readState' }) : stay(state)
}

/** A verdict counts once: an operator's recovery may have chosen this worker since. */
function onWishes(state: State, wishes: Wishes, nowMs: number): Step {
  const next: State = { ...state, wishes }
  const found = wishes.wrong?.[state.self.id]
  const isNews = found !== undefined && found !== state.wishes.wrong?.[state.self.id]
  return isNews ? doubt(next, found, nowMs) : stay(next)
}

/** Whoever stands for election stands no more; a master makes room (wishes.ts). */
function doubt(state: State, found: string, nowMs: number): Step {
  const next = state.role.kind === 'candidate' ? deposed(state) : state
  return diverge(next, 'rows', { nowMs, found })
}

function onPeers(state: State, peers: ReadonlyMap<string, Peer>): Step {
  const { role } = state
  if (role.kind !== 'leader') return stay({ ...state, peers })
  const counted = counting(role)
  const kept = [...role.progress].filter(([id]) => peers.has(id) || counted.includes(id))
  return stay({ ...state, peers, role: { ...role, progress: new Map(kept) } })
}

const deposed = (state: State): State => withRole(state, { kind: 'waiting' })

/** Work that was begun has ended; it carries the term in which it began. */
function onFinished(
  state: State,
  event: Extract<
    Event,
    {
      kind:
        | 'published'
        | 'remembered'
        | 'termBegun'
        | 'executing'
        | 'executed'
        | 'applied'
        | 'refused'
        | 'compared'
    }
  >,
  nowMs: number
): Step {
  const { role } = state
  switch (event.kind) {
    case 'published': {
      if (role.kind !== 'candidate' || role.term !== event.term) return stay(state)
      return stay(withRole(state, { ...role, published: true }))
    }
    case 'remembered':
      if (event.term <= state.term) return stay(state)
      return stay({ ...state, term: event.term, stateVersion: event.stateVersion })
    case 'executing':
      return stay({ ...state, working: 'executing' })
    case 'termBegun':
    case 'executed':
      return onGrown(state, event, nowMs)
    case 'applied': {
      const applied: State = { ...state, working: null, last: event.last }
      return role.kind === 'follower' ? confirm(applied) : stay(applied)
    }
    case 'refused':
      return onRefused(state, event, nowMs)
    case 'compared': {
      if (role.kind !== 'follower' || role.term !== event.term || event.equal) return stay(state)
      return diverge(state, 'log', { nowMs })
    }
  }
}

/** The log grew by what was executed here; whether it still leads is another matter. */
function onGrown(
  state: State,
  event: Extract<Event, { kind: 'termBegun' | 'executed' }>,
  nowMs: number
): Step {
  const entries = event.kind === 'termBegun' ? [event.entry] : event.entries
  const term = event.kind === 'termBegun' ? Math.max(state.term, event.term) : state.term
  const stateVersion = term === state.term ? state.stateVersion : 0
  const goesOn = event.kind === 'executed' && event.goesOn === true
  const idle: State = { ...state, working: goesOn ? 'executing' : null, term, stateVersion }
  const { role } = state
  if (role.kind === 'leader' && role.term === event.term) {
    return onEntries(idle, role, entries, nowMs)
  }
  const newest = entries.at(-1)
  return stay(newest === undefined ? idle : { ...idle, last: positionOf(newest) })
}

function onRefused(state: State, event: Extract<Event, { kind: 'refused' }>, nowMs: number): Step {
  const { why, last, found } = event
  const idle: State = { ...state, working: null, last }
  if (why === 'rows') return diverge(idle, 'rows', { nowMs, ...(found !== undefined && { found }) })
  if (why === 'full')
    return stay(withoutPending({ ...idle, postgres: false, postgresTrouble: FULL }))
  const { role } = idle
  if (why === 'cancelled' && role.kind === 'follower') return stay(withoutPending(idle))
  if (role.kind === 'fenced' || (why === 'cancelled' && role.kind !== 'leader')) return stay(idle)
  return step(deposed(idle), { do: 'readState' })
}

function onPostgres(state: State, event: Extract<Event, { kind: 'postgres' }>): State {
  const { answers, trouble = SILENT } = event
  return { ...state, postgres: answers, postgresTrouble: answers ? null : trouble }
}

/** What was not applied is fetched again, should this role go on. */
function withoutPending(state: State): State {
  const { role, last } = state
  return role.kind === 'follower' ? withRole(state, { ...role, pending: [], tail: last }) : state
}

function askState(state: State, nowMs: number): Step {
  const everyMs = state.settings.maxReadAgeMs / 3
  if (nowMs - state.stateAskedMs < everyMs) return stay(state)
  return step({ ...state, stateAskedMs: nowMs }, { do: 'readState' })
}

/** `/state` decides; an older version than the known one, or a missing one, needs care. */
function onState(
  state: State,
  event: Extract<Event, { kind: 'stateRead' | 'casSettled' }>,
  nowMs: number
): Step {
  const settled = event.kind === 'casSettled' ? { ...state, casPending: false } : state
  const { node } = event
  if (node === null || isBehind(state, node)) return forgotten(settled, event.beganMs)
  if (isStale(settled, node)) {
    return event.kind === 'casSettled' ? step(settled, { do: 'readState' }) : stay(settled)
  }
  const believing = believe(settled)
  // While an own compare-and-set is under way only what follows its answer settles anything.
  const beganMs = Math.max(event.beganMs, believing.known?.beganMs ?? event.beganMs)
  const known: Known = { ...node, beganMs }
  const session = believing.session || event.beganMs > believing.sessionLostMs
  const isNewTerm = believing.known?.state.term !== node.state.term
  const termSeenMs = isNewTerm ? nowMs : believing.termSeenMs
  const next: State = { ...believing, known, termSeenMs, session }
  return onKnown(next, known)
}

function onKnown(state: State, known: Known): Step {
  const { role } = state
  const { term, master, inSync } = known.state
  if (role.kind === 'leader') {
    if (term !== role.term || master !== state.self.id) return onDeposed(state, known)
    if (state.casPending) return stay(state)
    return stay(withRole(state, { ...role, members: inSync, change: null }))
  }
  if (role.kind === 'candidate') {
    if (term >= role.term) {
      const won = term === role.term && master === state.self.id
      return won && !state.casPending && state.working === null
        ? lead(state, { term, members: inSync })
        : won
          ? stay(state)
          : onDeposed(state, known)
    }
    return isNamed(state) || term === 0 ? stay(state) : onDeposed(state, known)
  }
  if (role.kind === 'follower' && role.term >= term) return stay(state)
  return onDeposed(state, known)
}

function onDeposed(state: State, known: Known): Step {
  const { term, master } = known.state
  if (master !== null) return follow(state, { term, master })
  // Only an operator names workers and no master: what these hold is the cluster's from now on.
  return stay(deposed(isNamed(state) ? { ...state, diverged: null } : state))
}
