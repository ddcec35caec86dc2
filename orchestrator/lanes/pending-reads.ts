/**
 * The reads that have no reply yet: where copies of each are, and what a worker's note about
 * one means. Pure: times come in, decisions go out.
 * - One of which nothing was heard for long is sent once more (a hedge), to the master's
 *   queue: what keeps the first copy may be a frozen replica. A read that a worker says it
 *   has is not.
 * - A read that came back from a worker which may have ended by it is a suspect, and runs
 *   alone. If it had begun as such, it has ended a second one, and goes to no third.
 */

import type { Pace } from '../../platform/shares/paces.ts'
import { OverloadedError } from '../../wire/errors.ts'
import type { Note } from '../../wire/requests.ts'
import { RequestHarmfulError, TimeoutError } from '../errors.ts'
import { Lateness } from './lateness.ts'
import type { Answer, Caller } from './pending-writes.ts'

export type ReadLane = 'readQ' | 'strongQ'

/** A read that a worker gives back later than so long before its deadline gets no other turn. */
const NO_TURN_LEFT_MS = 300

/** What is asked, without where it stands. */
export interface ReadAsk {
  readonly readId: string
  readonly client: string
  /** Under which the call is logged; '' for Convoy's own questions. */
  readonly traceId: string
  /** '' for Convoy's own questions. */
  readonly sql: string
  /** JSON text of the read without its last brace: the time left follows at each sending. */
  readonly text: string
  readonly deadlineMs: number
  readonly askedOf: ReadLane
  pace: Pace
  readonly caller: Caller
}

export interface PendingRead extends ReadAsk {
  /** Bytes of it. */
  readonly cost: number
  readonly bytes: number
  /** The lane it was last given to. */
  lane: ReadLane
  /** The last time; meaningless before the first. */
  sentAtMs: number
  /** When a worker last said that it has it. */
  aliveAtMs: number
  sends: number
  /** Sendings that may be in a queue or at a worker, by their numbers. */
  readonly copies: Set<number>
  hedged: boolean
  suspect: boolean
  /** The sending in which it began as a suspect. */
  begun: number | null
  /** Which of its client's windows counts it. */
  window: 'unknown' | 'slow' | null
}

/** What is to be done about a read after a note. One that is `harmful` or `settled` was refused. */
export interface Noted {
  readonly read: PendingRead
  readonly action: 'nothing' | 'again' | 'harmful' | 'settled'
}

export function pendingRead(ask: ReadAsk): PendingRead {
  const bytes = ask.text.length + 40
  return {
    ...ask,
    ...{
      cost: bytes,
      bytes,
      lane: ask.askedOf,
      sentAtMs: 0,
      aliveAtMs: Number.NEGATIVE_INFINITY,
      sends: 0
    },
    ...{ copies: new Set(), hedged: false, suspect: false, begun: null, window: null }
  }
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
    read.copies.add(read.sends)
    read.sentAtMs = nowMs
  }

  /**
   * @param tookMs of its execution
   * @returns the read, unless it was answered already
   */
  reply(
    readId: string,
    { tookMs = 0, ...answer }: Answer & { readonly tookMs?: number },
    nowMs: number
  ): PendingRead | undefined {
    const read = this.#pending.get(readId)
    if (read === undefined) return undefined
    this.#pending.delete(readId)
    // Slow statements must not make frozen workers go unnoticed.
    this.#lateness.answered(Math.max(0, nowMs - read.sentAtMs - tookMs))
    read.caller.answer(answer)
    return read
  }

  /** @returns undefined when it is about no read, or no copy, that is still waited for */
  noted(readId: string, note: Note, sending: number, nowMs: number): Noted | undefined {
    const read = this.#pending.get(readId)
    if (!read?.copies.has(sending)) return undefined
    if (note === 'running' || note === 'begun') {
      read.aliveAtMs = nowMs
      if (note === 'begun') read.begun = sending
      return { read, action: 'nothing' }
    }
    read.copies.delete(sending)
    const began = read.begun === sending
    if (began) read.begun = null
    if (note === 'returned') {
      if (began) return this.#harmful(read)
      read.suspect = true
    }
    if (read.copies.size > 0) return { read, action: 'nothing' }
    if (note === 'busy' && read.deadlineMs - nowMs < NO_TURN_LEFT_MS) return this.#noTurn(read)
    read.hedged = false
    return { read, action: 'again' }
  }

  /** The broker refused it. @returns whether it is settled by that: no other copy is under way */
  refused(read: PendingRead, error: OverloadedError): boolean {
    if (read.sends > 1 || !this.#pending.delete(read.readId)) return false
    read.caller.refuse(error)
    return true
  }

  /** @returns those to be sent once more, from now on in the master's lane */
  hedge(nowMs: number): PendingRead[] {
    const late: PendingRead[] = []
    for (const read of this.#pending.values()) {
      if (read.hedged || read.begun !== null || read.copies.size === 0) continue
      const lateMs = this.#lateness.lateMsOf(read.bytes)
      if (nowMs - Math.max(read.sentAtMs, read.aliveAtMs) < lateMs) continue
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
        read.copies.size > 0
          ? new TimeoutError('no answer before the deadline; reading again is safe')
          : tooMany()
      )
      gone.push(read)
    }
    return gone
  }

  /** Those that the master of an earlier term may hold, unless it is to be heard what they did. */
  toMaster(orderly = false): PendingRead[] {
    const held = [...this.#pending.values()].filter(
      read => read.lane === 'strongQ' && read.copies.size > 0 && read.begun === null
    )
    for (const read of held) if (!orderly && read.sql !== '') read.suspect = true
    return held
  }

  /** Replies to what was sent before are lost. @returns what is to be sent again */
  connected(): PendingRead[] {
    const sent = [...this.#pending.values()].filter(({ copies }) => copies.size > 0)
    for (const read of sent) {
      read.copies.clear()
      read.begun = null
    }
    return sent
  }

  #noTurn(read: PendingRead): Noted {
    this.#pending.delete(read.readId)
    read.caller.refuse(tooMany())
    return { read, action: 'settled' }
  }

  #harmful(read: PendingRead): Noted {
    this.#pending.delete(read.readId)
    read.caller.refuse(new RequestHarmfulError())
    return { read, action: 'harmful' }
  }
}

const tooMany = () => new OverloadedError('the read was not executed: too many of its kind wait')

export function readText(read: PendingRead, nowMs: number): string {
  const ttlMs = Math.max(1, Math.ceil(read.deadlineMs - nowMs))
  const suspect = read.suspect ? ',"suspect":true' : ''
  return `${read.text},"sending":${read.sends}${suspect},"ttlMs":${ttlMs}}`
}
