/**
 * All writes on their way to the master: they wait in lanes, and stay pending until a reply, a
 * refusal or their deadline. Pure: the caller gives the time and does the sending.
 * Invariants:
 * - Large writes have a lane of their own, and a connection: no small one waits behind their bytes.
 * - In time: what was let in and could not be sent for a quarter of its time, while others were
 *   answered, is refused. So is everything that was not sent yet when RabbitMQ takes nothing. Of
 *   large writes no more wait than are answered within half of their time, as measured.
 */
import { OverloadedError } from '../../wire/errors.ts'
import { Drain } from './drain.ts'
import { Lane, type LaneLimits } from './lane.ts'
import { Patience } from './patience.ts'
import {
  type Answer,
  type Caller,
  type PendingWrite,
  PendingWrites,
  type WriteAsk
} from './pending-writes.ts'

/** A write of so many bytes is large. */
export const LARGE_BYTES = 128 * 1024
/** Of the time to its deadline that a write may wait to be sent, behind others. */
const WAITING_SHARE = 1 / 4
/** Of that time in which all large writes that wait are to be answered. */
const DRAINED_SHARE = 1 / 2

/** Of all bytes that may be on their way. */
const LARGE_SHARE = 1 / 2
const SMALL_SHARE = 1 / 4

export interface WriteRoad {
  readonly lane: Lane<PendingWrite>
  /** Whether its messages are large. */
  readonly bulk: boolean
}

interface Way extends WriteRoad {
  readonly patience: Patience
}

export class WriteLanes {
  readonly #writes: PendingWrites
  readonly #small: Way
  readonly #large: Way
  readonly #drain = new Drain()
  readonly #askedAtMs = new WeakMap<PendingWrite, number>()

  constructor({ limits, hedgeMs }: { limits: LaneLimits; hedgeMs: number }) {
    this.#writes = new PendingWrites(hedgeMs)
    const pushedOut = (write: PendingWrite) =>
      this.#writes.refused(write, new OverloadedError('too many writes of this client wait'))
    const way = (of: LaneLimits, bulk: boolean): Way => {
      return { lane: new Lane(of, pushedOut), bulk, patience: new Patience() }
    }
    this.#small = way(smallOf(limits), false)
    this.#large = way(largeOf(limits), true)
  }

  get size(): number {
    return this.#writes.size
  }

  get all(): Iterable<PendingWrite> {
    return this.#writes.all
  }

  get depth(): number {
    return this.#small.lane.depth + this.#large.lane.depth
  }

  get inFlightBytes(): number {
    return this.#small.lane.inFlightBytes + this.#large.lane.inFlightBytes
  }

  get roads(): readonly WriteRoad[] {
    return [this.#small, this.#large]
  }

  /** Whether the present term has a master that lives, as far as is known. */
  set led(led: boolean) {
    this.#writes.led = led
  }

  /** Bytes of large writes that are answered within half of `ttlMs`. */
  largeRoomBytes(ttlMs: number): number {
    return this.#drain.bytesWithin(DRAINED_SHARE * ttlMs)
  }

  /** @throws RequestIdReusedError */
  ask(ask: WriteAsk, caller: Caller, nowMs: number): void {
    const { write, joined } = this.#writes.add(ask, caller)
    const { lane } = this.#wayOf(write)
    if (joined) {
      // One that waits keeps its turn.
      if (write.sends > 0) lane.again([write])
      return
    }
    this.#askedAtMs.set(write, nowMs)
    if (lane === this.#large.lane) lane.fitInto(this.largeRoomBytes(write.deadlineMs - nowMs))
    if (!lane.offer(write)) {
      this.#writes.refused(write, new OverloadedError('too many writes wait'))
    }
  }

  sent(write: PendingWrite, term: number, nowMs: number): void {
    this.#writes.sent(write, term, nowMs)
  }

  /** By RabbitMQ. One of which an earlier copy is under way stays, and goes on waiting for its reply. */
  refused(write: PendingWrite): void {
    const error = new OverloadedError('the write queue is full')
    if (this.#writes.refused(write, error)) this.#wayOf(write).lane.settle(write)
  }

  /** @returns whether somebody waited for it */
  heard({ id, ...answer }: Answer & { readonly id: string }, nowMs: number): boolean {
    const write = this.#writes.reply(id, answer, nowMs)
    if (write === undefined) return false
    const { lane, patience } = this.#wayOf(write)
    if (lane === this.#large.lane) {
      this.#drain.answered(write.bytes, { sentAtMs: write.sentAtMs, nowMs })
    }
    lane.answered(write, nowMs)
    patience.answered(nowMs)
    return true
  }

  /**
   * @param orderly the last master lives, and gave up its term by itself
   * @returns what is sent again
   */
  newTerm(term: number, orderly: boolean): readonly PendingWrite[] {
    const again = this.#writes.newTerm(term, orderly)
    this.#again(again)
    return again
  }

  /** Replies to the last link's queue are lost: all that is unanswered goes out again. */
  connected(): void {
    this.#again([...this.#writes.all])
  }

  disconnected(): void {
    for (const { lane } of this.roads) lane.disconnect()
  }

  /** @param broker whether RabbitMQ is there, and takes messages */
  sweep(nowMs: number, broker: 'up' | 'down' | 'blocked'): void {
    for (const write of this.#writes.expire(nowMs)) {
      const { lane } = this.#wayOf(write)
      // Nothing of it was done in that time, as far as is known here.
      const { sends, sentAtMs } = write
      if (lane === this.#large.lane && sends > 0) this.#drain.answered(0, { sentAtMs, nowMs })
      lane.expired(write, nowMs)
    }
    if (broker === 'up') this.#again(this.#writes.hedge(nowMs))
    for (const write of this.#writes.all) {
      if (write.sends > 0) continue
      if (broker === 'blocked') this.#refuse(write, 'RabbitMQ takes no messages at present')
      else if (this.#hasWaited(write, nowMs))
        this.#refuse(write, 'the writes before it take too long')
    }
  }

  resize(limits: LaneLimits): void {
    this.#small.lane.resize(smallOf(limits))
    this.#large.lane.resize(largeOf(limits))
  }

  #hasWaited(write: PendingWrite, nowMs: number): boolean {
    const { lane } = this.#large
    const ahead = lane === this.#wayOf(write).lane ? lane.inFlightBytes + write.bytes : 0
    if (nowMs + this.#drain.msFor(ahead) > write.deadlineMs) return true
    const askedAtMs = this.#askedAtMs.get(write) ?? nowMs
    const mayWaitMs = WAITING_SHARE * (write.deadlineMs - askedAtMs)
    return this.#wayOf(write).patience.waitedMs(askedAtMs, nowMs) > mayWaitMs
  }

  #refuse(write: PendingWrite, why: string): void {
    this.#wayOf(write).lane.settle(write)
    this.#writes.refused(write, new OverloadedError(why))
  }

  #again(writes: readonly PendingWrite[]): void {
    for (const way of [this.#small, this.#large]) {
      way.lane.again(writes.filter(write => this.#wayOf(write) === way))
    }
  }

  #wayOf({ bytes }: PendingWrite): Way {
    return bytes < LARGE_BYTES ? this.#small : this.#large
  }
}

const sharedOut = (limits: LaneLimits, share: number): LaneLimits =>
  limits.inFlightMaxBytes === undefined
    ? limits
    : { ...limits, inFlightMaxBytes: share * limits.inFlightMaxBytes }

const smallOf = (limits: LaneLimits) => sharedOut(limits, SMALL_SHARE)
const largeOf = (limits: LaneLimits) => sharedOut(limits, LARGE_SHARE)
