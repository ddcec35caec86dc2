/**
 * The reads that have no reply yet. One that stays unanswered is sent once more (a
 * hedge), to the master's queue: what keeps the first copy may be a frozen replica.
 * Pure: times come in, decisions go out.
 */
import { OverloadedError } from '../../platform/errors.ts'
import { TimeoutError } from '../errors.ts'
import { Lateness } from './lateness.ts'
import type { Answer, Caller } from './pending-writes.ts'

export type ReadLane = 'readQ' | 'strongQ'

export interface PendingRead {
  readonly readId: string
  /** JSON text of the read without its last brace: the time left follows at each sending. */
  readonly text: string
  readonly bytes: number
  readonly deadlineMs: number
  /** The last time; meaningless before the first. */
  sentAtMs: number
  /** The lane it was last given to. */
  lane: ReadLane
  sends: number
  hedged: boolean
  readonly caller: Caller
}

export class PendingReads {
  readonly #pending = new Map<string, PendingRead>()
  readonly #lateness: Lateness

  constructor(hedgeMs: number) {
    this.#lateness = new Lateness(hedgeMs)
  }

  get size(): number {
    return this.#pending.size
  }

  get all(): Iterable<PendingRead> {
    return this.#pending.values()
  }

  add(read: PendingRead): void {
    this.#pending.set(read.readId, read)
  }

  sent(read: PendingRead, lane: ReadLane, nowMs: number): void {
    read.lane = lane
    read.sends += 1
    read.sentAtMs = nowMs
  }

  /** @returns the read, unless it was answered already */
  reply(readId: string, answer: Answer, nowMs: number): PendingRead | undefined {
    const read = this.#pending.get(readId)
    if (read === undefined) return undefined
    this.#pending.delete(readId)
    this.#lateness.answered(nowMs - read.sentAtMs)
    read.caller.answer(answer)
    return read
  }

  /** The broker refused it. @returns whether it is settled by that: no other copy is under way */
  refused(read: PendingRead, error: OverloadedError): boolean {
    if (read.sends > 1 || !this.#pending.delete(read.readId)) return false
    read.caller.refuse(error)
    return true
  }

  /** @returns those to be sent once more, from now on in the master's lane */
  hedge(nowMs: number): PendingRead[] {
    const { lateMs } = this.#lateness
    const late: PendingRead[] = []
    for (const read of this.#pending.values()) {
      if (read.hedged || read.sends === 0 || nowMs - read.sentAtMs < lateMs) continue
      read.hedged = true
      late.push(read)
    }
    return late
  }

  expire(nowMs: number): PendingRead[] {
    const gone: PendingRead[] = []
    for (const read of this.#pending.values()) {
      if (read.deadlineMs > nowMs) continue
      this.#pending.delete(read.readId)
      read.caller.refuse(
        read.sends > 0
          ? new TimeoutError('no answer before the deadline; reading again is safe')
          : new OverloadedError('the read was not sent')
      )
      gone.push(read)
    }
    return gone
  }

  /** Those that the master of an earlier term may hold. */
  toMaster(): PendingRead[] {
    return [...this.#pending.values()].filter(read => read.lane === 'strongQ' && read.sends > 0)
  }
}

export const readText = (read: PendingRead, nowMs: number): string =>
  `${read.text},"ttlMs":${Math.max(1, Math.ceil(read.deadlineMs - nowMs))}}`
