/**
 * The writes that have no reply yet, and when each is sent again or given up.
 * Pure: times, terms and replies come in, decisions go out.
 * Invariants:
 * - A write that a master may have been executing when it ended is a suspect from then on.
 *   Later masters execute it alone, and one that brings down a second master is refused
 *   (docs/decisions/harmful-writes.md).
 * - Two callers of one id with the same command share the outcome; with another
 *   command the second is refused, so that no reply reaches the wrong one.
 * - An ask that was never sent is told as not done; one that was, as unknown.
 * - One that stays unanswered is sent again, after twice the time each time: what keeps the
 *   first copy may be a master that is frozen or cut off, and that nobody knows of yet.
 */
import { OverloadedError, type ServiceError } from '../../wire/errors.ts'
import { RequestIdReusedError, UnknownOutcomeError } from '../errors.ts'
import { Lateness } from './lateness.ts'

/** Ids of which a late reply may come, which must not answer another command. */
const UNSETTLED_MAX = 10_000

export interface WriteAsk {
  readonly requestId: string
  readonly commandHash: string
  /** JSON text of the statements. */
  readonly statements: string
  /** The caller chose the id, so another copy of the command may exist. */
  readonly mayRepeat: boolean
  /** Whose share it uses where clients compete. */
  readonly client?: string
  /** Under which the call is logged on its way. */
  readonly traceId?: string
  readonly traceparent?: string
  readonly deadlineMs: number
}

/** A write on its way, with all that wait for it. */
export interface PendingWrite extends WriteAsk {
  readonly bytes: number
  /** An earlier ask of this id was sent. A copy of it may be on its way, or be done. */
  readonly sentBefore: boolean
  sends: number
  /** The last time; meaningless before the first. */
  sentAtMs: number
  /** Copies sent in this term because the one before was late. */
  hedges: number
  /** The newest term whose master may have it; null while none that lives can. */
  inReachOf: number | null
  /** A master that may have been executing it has ended. */
  suspect: boolean
  readonly callers: { readonly deadlineMs: number; readonly caller: Caller }[]
}

export interface Answer {
  readonly status: number
  /** The whole HTTP body. */
  readonly body: Buffer
}

export interface Caller {
  answer(answer: Answer): void
  refuse(error: ServiceError): void
}

/** What is remembered of a write that nobody waits for, while copies of it may be on their way. */
interface Unsettled {
  readonly commandHash: string
  inReachOf: number | null
  suspect: boolean
}

export class PendingWrites {
  readonly #pending = new Map<string, PendingWrite>()
  readonly #unsettled = new Map<string, Unsettled>()
  readonly #lateness: Lateness
  /** Whether the present term has a master that lives, as far as is known. */
  led = true

  constructor(hedgeMs: number) {
    this.#lateness = new Lateness(hedgeMs)
  }

  get size(): number {
    return this.#pending.size
  }

  get all(): Iterable<PendingWrite> {
    return this.#pending.values()
  }

  /** @throws RequestIdReusedError */
  add(ask: WriteAsk, caller: Caller): { write: PendingWrite; joined: boolean } {
    const present = this.#pending.get(ask.requestId)
    const known = present ?? this.#unsettled.get(ask.requestId)
    if (known !== undefined && known.commandHash !== ask.commandHash) {
      throw new RequestIdReusedError()
    }
    const waits = { deadlineMs: ask.deadlineMs, caller }
    if (present !== undefined) {
      present.callers.push(waits)
      return { write: present, joined: true }
    }
    const write: PendingWrite = {
      ...ask,
      bytes: ask.statements.length + ask.requestId.length + 150,
      sentBefore: known !== undefined,
      sends: 0,
      sentAtMs: 0,
      hedges: 0,
      inReachOf: known?.inReachOf ?? null,
      suspect: known?.suspect ?? false,
      callers: [waits]
    }
    this.#pending.set(ask.requestId, write)
    return { write, joined: false }
  }

  /** Counted before the sending, for that may be the last thing known of it. */
  sent(write: PendingWrite, term: number, nowMs: number): void {
    write.sends += 1
    write.sentAtMs = nowMs
    if (this.led) write.inReachOf = term
  }

  /** @returns the write, unless it had been settled already */
  reply(requestId: string, answer: Answer, nowMs: number): PendingWrite | undefined {
    const write = this.#pending.get(requestId)
    if (write === undefined) return undefined
    this.#lateness.answered(nowMs - write.sentAtMs)
    this.#pending.delete(requestId)
    if (isRepeated(write)) this.#remember(write)
    for (const { caller } of write.callers) caller.answer(answer)
    return write
  }

  /** The broker refused it. @returns whether it is settled by that: this ask has no other copy */
  refused(write: PendingWrite, error: ServiceError): boolean {
    if (write.sends > 1 || this.#pending.get(write.requestId) !== write) return false
    this.#pending.delete(write.requestId)
    for (const { caller } of write.callers) caller.refuse(error)
    return true
  }

  /**
   * @param orderly the last master lives, and gave up its term by itself: nothing ended it
   * @returns what is to be sent again in the new term
   */
  newTerm(term: number, orderly: boolean): PendingWrite[] {
    for (const write of [...this.#pending.values(), ...this.#unsettled.values()]) {
      if (isUnsent(write)) continue
      if (!orderly && (write.inReachOf ?? term) < term) write.suspect = true
      // A copy that is still in the queue goes to the new master, before it is sent again.
      write.inReachOf = term
    }
    this.led = true
    const again = [...this.#pending.values()].filter(({ sends }) => sends > 0)
    for (const write of again) write.hedges = 0
    return again
  }

  /** @returns those to be sent once more */
  hedge(nowMs: number): PendingWrite[] {
    const late: PendingWrite[] = []
    for (const write of this.#pending.values()) {
      const lateMs = this.#lateness.lateMsOf(write.bytes) * 2 ** write.hedges
      if (write.sends === 0 || nowMs - write.sentAtMs < lateMs) continue
      write.hedges += 1
      write.sentAtMs = nowMs
      late.push(write)
    }
    return late
  }

  /** @returns those that nobody waits for any more */
  expire(nowMs: number): PendingWrite[] {
    const gone: PendingWrite[] = []
    for (const write of this.#pending.values()) {
      const late = write.callers.filter(({ deadlineMs }) => deadlineMs <= nowMs)
      if (late.length === 0) continue
      for (const waits of late) write.callers.splice(write.callers.indexOf(waits), 1)
      this.#giveUp(write, late)
      if (write.callers.length === 0) gone.push(write)
    }
    return gone
  }

  #giveUp(write: PendingWrite, callers: readonly { caller: Caller }[]): void {
    const { requestId, sends } = write
    if (write.callers.length === 0) this.#pending.delete(requestId)
    if (sends > 0) this.#remember(write)
    const error =
      sends > 0 ? new UnknownOutcomeError(requestId) : new OverloadedError('the write was not sent')
    for (const { caller } of callers) caller.refuse(error)
  }

  #remember({ requestId, commandHash, inReachOf, suspect }: PendingWrite): void {
    this.#unsettled.set(requestId, { commandHash, inReachOf, suspect })
    if (this.#unsettled.size <= UNSETTLED_MAX) return
    const eldest = this.#unsettled.keys().next()
    if (!eldest.done) this.#unsettled.delete(eldest.value)
  }
}

const isUnsent = (write: PendingWrite | Unsettled): boolean =>
  'sends' in write && write.sends === 0 && !write.sentBefore

/** Another copy of it may have reached a master before the next one does. */
export const isRepeated = ({ sentBefore, sends }: PendingWrite): boolean => sentBefore || sends > 1

/** The wire's `WriteCommand`, without making text of the statements a second time. */
export function commandText(write: PendingWrite, nowMs: number): string {
  const { requestId, commandHash, statements } = write
  const ttlMs = Math.max(1, Math.ceil(latestDeadlineMs(write) - nowMs))
  const mayRepeat = write.mayRepeat || isRepeated(write)
  return `{"requestId":${JSON.stringify(requestId)},"commandHash":"${commandHash}","statements":${statements},"ttlMs":${ttlMs},"mayRepeat":${mayRepeat}${fieldsText(write)}}`
}

/** Those that most writes do not have. */
function fieldsText(write: PendingWrite): string {
  const { client, suspect, traceId, traceparent } = write
  const texts = [
    ...(client === undefined ? [] : [`"client":${JSON.stringify(client)}`]),
    ...(suspect ? ['"suspect":true'] : isRepeated(write) ? ['"again":true'] : []),
    ...(traceId === undefined ? [] : [`"traceId":${JSON.stringify(traceId)}`]),
    ...(traceparent === undefined ? [] : [`"traceparent":"${traceparent}"`])
  ]
  return texts.map(text => `,${text}`).join('')
}

export const latestDeadlineMs = (write: PendingWrite): number =>
  write.callers.reduce((latest, { deadlineMs }) => Math.max(latest, deadlineMs), 0)
