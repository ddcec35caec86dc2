/**
 * What a worker takes from the shared queues, and when what it has executed or read
 * may be told. Whoever consumes and answers asks here, in production and in simulation.
 *
 * Invariants:
 * SHOWN    no answer leaves before what it shows is known to be committed
 * BARRIER  a strong read is answered behind a barrier that was sent after its snapshot
 */
import type { WriteCommand } from '../../wire/requests.ts'
import type { Role, State } from './state.ts'
import type { View } from './view.ts'

export interface Consumption {
  /** `writeQ` and `strongQ`, as master of the view's term. */
  readonly leads: boolean
  /** `readQ`. */
  readonly reads: boolean
  /** Reads that were taken go to others; otherwise they are finished. */
  readonly giveBack: boolean
}

export function consumptionOf(view: View, connected: boolean): Consumption {
  return {
    leads: connected && view.leads,
    reads: connected && view.reads,
    giveBack: !connected || view.diverged || view.role === 'fenced'
  }
}

/** Whether a batch may be begun: not by a master that is about to make room. */
export const mayExecute = (view: View): boolean => view.leads && !view.drains

/**
 * What a master of an earlier term left unanswered is dropped: its orchestrator sends
 * it again with the new term, and as a suspect, should it be what ended that master.
 */
export const isLeftOver = (
  message: { readonly redelivered: boolean; readonly term: number },
  term: number
): boolean => message.redelivered && message.term < term

/**
 * Sent into a later term: the master that gets it is deposed and does not know it yet. It leaves
 * the message to its successor. If it died of a write in there, no orchestrator would notice. And
 * it must not say that it begins one: a later master may come to have that entry.
 */
export const isAhead = (terms: { readonly sent: number; readonly own: number }): boolean =>
  terms.sent > terms.own

/** Marked, or sent into an earlier term behind other copies: one may have ended its master. */
export const isSuspect = (
  { suspect, again }: Pick<WriteCommand, 'suspect' | 'again'>,
  terms: { readonly sent: number; readonly own: number }
): boolean => suspect === true || (again === true && terms.sent < terms.own)

const BEGUN = 'begun '

/**
 * Its entry says, before anything of the command is executed, that a master begins with it. No
 * caller can choose this id, for theirs hold no space.
 */
export const begunBy = ({
  requestId,
  ttlMs
}: Pick<WriteCommand, 'requestId' | 'ttlMs'>): WriteCommand => ({
  ...{ requestId: `${BEGUN}${requestId}`, commandHash: '', statements: [] },
  ...{ ttlMs, mayRepeat: true }
})

/** The request that an entry says is begun. */
export const begunIn = (requestId: string): string => requestId.slice(BEGUN.length)

/** An earlier master began the command, alone, and ended before it had an outcome: no third one tries. */
export const isHarmful = (begunInTerm: number, term: number): boolean => begunInTerm < term

/** What became of one command of a batch, as far as its answer depends on it. */
export type Told =
  | { readonly kind: 'entry'; readonly entry: { readonly index: number } }
  | { readonly kind: 'repeat'; readonly index: number }
  | { readonly kind: 'refused' }

/**
 * SHOWN: the index that has to be committed before a batch is answered.
 *
 * @param before end of the log before the batch: what was refused rests on nothing newer
 */
export function toldAt(before: number, batch: readonly Told[]): number {
  let index = before
  for (const told of batch) {
    if (told.kind === 'entry') index = Math.max(index, told.entry.index)
    if (told.kind === 'repeat') index = Math.max(index, told.index)
  }
  return index
}

/** A result ready to go: of a read, or of a batch of writes. */
export interface Held {
  /** End of the log that it shows. */
  readonly index: number
  /** Null where none was sent yet; left out where none is needed. */
  readonly barrier?: number | null
}

export function mayLeave(held: Held, view: View): boolean {
  if (held.index > view.commitIndex) return false // SHOWN
  if (held.barrier === undefined) return true
  return held.barrier !== null && held.barrier <= view.passedBarrier // BARRIER
}

/**
 * BARRIER: the one for all reads that have none yet; any above the present one is sent after now.
 * One at a time is under way, so that it serves many. Null: nothing is wanted, or not yet.
 */
export function barrierFor(held: readonly Held[], role: Role, view: View): number | null {
  if (role.kind !== 'leader' || held.every(({ barrier }) => barrier !== null)) return null
  // One that has passed stops nobody, though its reads may still wait for a commit.
  const isUnderWay = held.some(({ barrier }) => (barrier ?? 0) > view.passedBarrier)
  return isUnderWay ? null : role.barrier + 1
}

/** A `session` read whose index has not arrived here: it waits, and then goes to the master. */
export const isBeyond = (minIndex: number | undefined, state: State): boolean =>
  (minIndex ?? 0) > state.last.index
