/**
 * What follows from a state without anything having to happen: what the znode
 * says, which queues are consumed, which answers may leave.
 */
import type { WorkerRole } from '../../wire/znodes.ts'
import { isKept } from './diverge.ts'
import { keepAfterOf, passedBarrierOf } from './members.ts'
import type { Leader, State } from './state.ts'
import { isNamed } from './steps.ts'
import { isDraining, isFrozen, isLeaving, isWrong, yields } from './wishes.ts'

export interface View {
  readonly role: WorkerRole
  /** Of `role`: what it leads, stands for or follows. */
  readonly term: number
  readonly trouble: string | null
  readonly diverged: boolean
  readonly inDoubt: boolean
  readonly yields: boolean
  /** May execute writes, and answer strong reads after a barrier. */
  readonly leads: boolean
  /** Begins no batch: it is about to make room for another master. */
  readonly drains: boolean
  /** Consumes the shared queue of reads. */
  readonly reads: boolean
  /** Answers that show this index or less may leave. */
  readonly commitIndex: number
  readonly passedBarrier: number
  readonly keepAfter: number
}

export function viewOf(state: State, nowMs: number): View {
  const { role } = state
  return {
    role: roleOf(state),
    term: 'term' in role ? role.term : state.term,
    trouble: troubleOf(state),
    diverged: state.diverged !== null,
    inDoubt: isWrong(state),
    yields: yields(state),
    leads: leadsNow(state),
    drains: role.kind === 'leader' && isDraining(role),
    reads: mayServe(state, nowMs) && (role.kind === 'leader' || takesReads(state)),
    commitIndex: state.commitIndex,
    passedBarrier: role.kind === 'leader' ? passedBarrierOf(state, role) : 0,
    keepAfter: role.kind === 'leader' ? keepAfterOf(state, role) : state.keepAfter
  }
}

const takesReads = (state: State): boolean => !isLeaving(state) && !isFrozen(state)

function leadsNow({ role, commitIndex, session, amqp }: State): boolean {
  return (
    role.kind === 'leader' && role.first !== null && commitIndex >= role.first && session && amqp
  )
}

/**
 * Whether a read that was delivered may be served: one that leaves finishes what it gets.
 * Asked anew for each message: a process that wakes from a pause has outlived its permission.
 */
export function mayServe(state: State, nowMs: number): boolean {
  if (!mayRead(state, nowMs)) return false
  const { role } = state
  return role.kind !== 'leader' || (leadsNow(state) && readsAlone(state, role))
}

function troubleOf(state: State): string | null {
  const { role, diverged, postgresTrouble } = state
  if (role.kind === 'fenced') return role.trouble
  if (diverged === null) return postgresTrouble
  const kept = isKept(state) ? '; kept until `npm run recover -- --forget`' : ''
  return `${diverged.trouble}${kept}`
}

function roleOf(state: State): WorkerRole {
  switch (state.role.kind) {
    case 'leader':
      return 'master'
    case 'candidate':
      // STAND: published only when nothing writes to the log any more.
      return state.working === null ? 'candidate' : 'replica'
    case 'fenced':
      return 'fenced'
    case 'waiting':
      return 'starting'
    case 'follower':
      if (isNamed(state)) return 'replica'
      return isLeaving(state) ? 'left' : 'joining'
  }
}

/**
 * NAMED, used for reads: a worker that `/state` named at most `maxReadAgeMs` ago has
 * every write acknowledged until then. Hearing the master proves nothing.
 */
function mayRead(state: State, nowMs: number): boolean {
  const { known, role } = state
  if (known === null || !isNamed(state) || state.diverged !== null || !state.amqp) return false
  if (role.kind === 'fenced') return false
  return nowMs - known.beganMs <= state.settings.maxReadAgeMs
}

/** No replica alive, or only frozen ones: the master answers reads too. */
function readsAlone({ self, peers, frozen }: State, { members }: Leader): boolean {
  return members.every(id => id === self.id || !peers?.has(id) || frozen.includes(id))
}
