/**
 * Elections. A worker stands when `/state` names it and the master's znode is gone
 * or says otherwise; the best of those who stand does one compare-and-set.
 * Any member of the in-sync set is safe to elect (NAMED), the longest log only
 * spares copies; after a loss of contact candidates wait for each other (grace.ts). What
 * makes it safe is STAND: who stands confirms the old term no more.
 */
import type { ClusterState } from '../../wire/znodes.ts'
import { follow } from './follow.ts'
import { isMasterExpected, mayOthersCome } from './grace.ts'
import type { Candidate, Peer, State, Step } from './state.ts'
import { isNamed, knownTermOf, membersOf, stay, step, withRole } from './steps.ts'

/** Nobody has led yet: whoever has an empty log may be the first. */
const isUnled = (cluster: ClusterState) => cluster.term === 0 && cluster.master === null

/** The master of `/state` is absent, or its znode does not say that it is master of this term. */
export function masterGone(cluster: ClusterState, peers: ReadonlyMap<string, Peer>): boolean {
  const master = cluster.master === null ? undefined : peers.get(cluster.master)
  if (master === undefined) return true
  // Just elected, its znode may still say that it stands for the term it has won.
  const leads = master.role === 'master' || master.role === 'candidate'
  return !leads || master.term !== cluster.term
}

export function mustStand(state: State, nowMs: number): boolean {
  const { known, peers, role } = state
  if (known === null || peers === null || !state.session) return false
  if (!state.amqp || !state.postgres) return false
  if (role.kind !== 'follower' && role.kind !== 'waiting') return false
  if (state.diverged !== null && state.diverged.kind !== 'log') return false
  const followed = role.kind === 'follower' ? role.term : 0
  if (known.state.term < Math.max(state.term, followed)) return false // a newer master exists
  if (isUnled(known.state)) return state.last.index === 0
  if (!isNamed(state) || !masterGone(known.state, peers)) return false
  return peersAreFresh(state, nowMs) && !isMasterExpected(state, known.state, nowMs)
}

/** What is known of the znodes may be older than the election that `/state` tells of. */
function peersAreFresh(state: State, nowMs: number): boolean {
  const { peersSeenMs, termSeenMs, settings } = state
  return peersSeenMs > termSeenMs || nowMs - termSeenMs >= settings.electionStepMs
}

export function stand(state: State, nowMs: number): Step {
  const term = knownTermOf(state) + 1
  const role: Candidate = { kind: 'candidate', term, sinceMs: nowMs, published: false }
  const next = withRole(state, role)
  return state.working === null ? stay(next) : step(next, { do: 'cancelWork' })
}

/** What a candidate does by itself, whatever just happened. */
export function advanceCandidate(state: State, role: Candidate, nowMs: number): Step {
  const { known } = state
  if (known === null) return stay(state)
  const back = returned(state, role, known.state)
  if (back !== null) return follow(state, back)
  if (!role.published) return stay(state)
  if (state.casPending || !state.amqp || !state.session) return stay(state)
  if (!isComplete(state, role, known.state) && mayOthersCome(state, nowMs)) return stay(state)
  const wait = waitMs(state, role, known.state)
  if (wait === null || nowMs - role.sinceMs < wait) return stay(state)
  const to = {
    ...known.state,
    term: role.term,
    master: state.self.id,
    inSync: newMembers(state, role)
  }
  return step({ ...state, casPending: true }, { do: 'cas', version: known.version, to })
}

/**
 * The master whose znode was only away: it leads on. Whoever stands and has asked for nothing yet may
 * follow it again: a winner is safe because it has confirmed nothing itself since it stood.
 */
function returned({ casPending, peers }: State, role: Candidate, { term, master }: ClusterState) {
  if (casPending || peers === null || master === null || role.term !== term + 1) return null
  const peer = peers.get(master)
  return peer?.role === 'master' && peer.term === term ? { term, master } : null
}

/** Every member of the old set stands too: nobody else is to be waited for. */
function isComplete(state: State, role: Candidate, cluster: ClusterState): boolean {
  return isUnled(cluster) || standing(state, role).length === cluster.inSync.length
}

/**
 * Members of the old set that stand, by worth: first who does not yield, then the highest
 * (term, index), then the lowest pid, then id.
 */
function standing(state: State, role: Candidate): readonly (readonly [string, Peer])[] {
  const found = membersOf(state).flatMap((id): [string, Peer][] => {
    const peer = state.peers?.get(id)
    if (peer === undefined || peer.role !== 'candidate' || peer.term !== role.term) return []
    return [[id, peer]]
  })
  return found.sort(([idA, a], [idB, b]) => {
    if (a.yields !== b.yields) return a.yields ? 1 : -1
    if (a.last.term !== b.last.term) return b.last.term - a.last.term
    if (a.last.index !== b.last.index) return b.last.index - a.last.index
    return a.pid - b.pid || (idA < idB ? -1 : 1)
  })
}

/** How long after it began to stand this one acts: the best first, the next one step later. */
function waitMs(state: State, role: Candidate, cluster: ClusterState): number | null {
  if (isUnled(cluster)) return 0
  const ranked = standing(state, role).map(([id]) => id)
  const rank = ranked.indexOf(state.self.id)
  if (rank < 0) return null // its own znode has not come back to it yet
  const live = cluster.inSync.filter(id => state.peers?.get(id)?.reachesAmqp === true)
  const complete = live.every(id => ranked.includes(id))
  return (complete ? 0 : state.settings.electionStepMs) + rank * state.settings.electionStepMs
}

/** Itself and who stood with it, filled up to `minCopies` with others of the old set. */
function newMembers(state: State, role: Candidate): readonly string[] {
  const stood = standing(state, role).map(([id]) => id)
  const members = [...new Set([state.self.id, ...stood])]
  const others = membersOf(state).filter(id => !members.includes(id))
  const missing = Math.max(0, state.settings.minCopies - members.length)
  return [...members, ...others.slice(0, missing)]
}
