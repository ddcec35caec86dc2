/**
 * Decides what is sent when to one queue: an idle lane sends at once, a busy one
 * gathers, for a batch costs about the same whatever is in it
 * (docs/decisions/lanes-gather.md). Pure: the caller gives the time and does the sending.
 * Invariants:
 * - Bounded: `offer` refuses beyond the limits; nothing else lets requests in.
 * - Fair: clients have their turns in a batch. In a full lane whoever has the most waiting
 *   makes room for one who has less. No client has more than its share in flight.
 * - Moving: a batch holds its place until all of it is answered or `holdMs` has
 *   passed, so that one slow request does not stop those behind it.
 * - Heard: at most `unconfirmedMax` batches are on their way of which nothing was heard (the
 *   broker's confirmation, or what became of a request in it), for what is published to a
 *   blocked broker piles up in memory.
 * - Light: requests in flight have at most `inFlightMaxBytes` together, or there is one alone,
 *   so that RabbitMQ's memory stays far from its limit (docs/decisions/overload.md).
 */

import { FairQueue } from '../../platform/shares/fair-queue.ts'
import { ClientWindows } from './client-windows.ts'

export interface LaneLimits {
  readonly inFlightMax: number
  readonly unconfirmedMax: number
  readonly holdMs: number
  /** How long after answers as many requests are waited for as were answered. */
  readonly afterAnswersMs: number
  /** How long after a batch was sent as many are waited for as are under way. */
  readonly besideOthersMs: number
  readonly batchMax: number
  readonly batchMaxBytes: number
  readonly waitingMax: number
  readonly waitingMaxBytes: number
  /** Bytes that are on their way; any number where there is no limit. */
  readonly inFlightMaxBytes?: number
  /**
   * Requests of one client that are on their way, and fewer while they are not answered soon; any
   * number where there is no limit.
   */
  readonly clientInFlightMax?: number
}

export interface Sendable {
  readonly bytes: number
  /** Whose share it uses; those without one are one client. */
  readonly client?: string
}

export interface Batch<T> {
  readonly items: readonly T[]
  readonly sentAtMs: number
}

interface Queued<T> {
  readonly item: T
  readonly client: string
  readonly cost: number
}

interface Place<T> {
  readonly batch: Batch<T>
  unanswered: number
  readonly sentAtMs: number
}

export class Lane<T extends Sendable> {
  #limits: LaneLimits
  readonly #pushedOut: (item: T) => void
  readonly #queue = new FairQueue<Queued<T>>()
  readonly #queued = new Map<T, Queued<T>>()
  /** Ahead of the queue, in the order of sending. */
  #again = new Set<T>()
  #againBytes = 0
  /** By client. */
  readonly #inFlight = new Map<string, number>()
  #inFlightBytes = 0
  #roomBytes = Number.POSITIVE_INFINITY
  readonly #windows = new ClientWindows()
  readonly #places = new Map<T, Place<T>>()
  #held: Place<T>[] = []
  #sentAtMs = Number.NEGATIVE_INFINITY
  /** Since the last batch was sent. */
  #answered = 0
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #unconfirmed = new Set<Batch<T>>()

  /** @param pushedOut told of what leaves a full lane for another client's request */
  constructor(limits: LaneLimits, pushedOut: (item: T) => void = () => {}) {
    this.#limits = limits
    this.#pushedOut = pushedOut
  }

  /** What waits and is under way stays so; the limits hold from the next request on. */
  resize(limits: LaneLimits): void {
    this.#limits = limits
  }

  /** So many bytes may wait from now on, beside those in flight; never more than the limits say. */
  fitInto(bytes: number): void {
    this.#roomBytes = Math.max(0, bytes - this.#inFlightBytes)
  }

  /** Requests that wait to be sent. */
  get depth(): number {
    return this.#again.size + this.#queue.size
  }

  /** Bytes of the requests that are on their way. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  get unconfirmed(): number {
    return this.#unconfirmed.size
  }

  /** @returns false when the lane is full (Bounded), and the item's client has no less waiting than others */
  offer(item: T): boolean {
    const { waitingMax, waitingMaxBytes } = this.#limits
    const queued = { item, client: item.client ?? '', cost: item.bytes }
    const bytes = Math.min(waitingMaxBytes, this.#roomBytes)
    const room = { items: waitingMax - this.#again.size, cost: bytes - this.#againBytes }
    const left = this.#queue.makeRoom(queued, room)
    if (left === undefined) return false
    this.#queue.add(queued)
    this.#queued.set(item, queued)
    for (const { item: one } of left) {
      this.#queued.delete(one)
      this.#pushedOut(one)
    }
    return true
  }

  /** Sends once more what had been let in before, ahead of what waits. */
  again(items: readonly T[]): void {
    for (const item of items) this.#unwait(item)
    const behind = this.#again
    this.#again = new Set([...items, ...behind])
    this.#againBytes = this.#again.values().reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** What to send now; undefined when nothing may go, every place is held, or more is expected. */
  next(nowMs: number): Batch<T> | undefined {
    if (!this.#hasRoom(nowMs) || this.gathersUntilMs(nowMs) > nowMs) return undefined
    const items = this.#take()
    if (items.length === 0) return undefined
    const batch = { items, sentAtMs: nowMs }
    const place = { batch, unanswered: items.length, sentAtMs: nowMs }
    for (const item of items) {
      this.#leave(item)
      this.#places.set(item, place)
      this.#count(item, 1)
    }
    this.#held.push(place)
    this.#unconfirmed.add(batch)
    this.#sentAtMs = nowMs
    this.#answered = 0
    return batch
  }

  /** The next batch: what is sent again, then what waits, of each client in turn (Fair). */
  #take(): T[] {
    const { batchMax, clientInFlightMax = Number.POSITIVE_INFINITY } = this.#limits
    const items: T[] = []
    const taken = new Map<string, number>()
    const mayHave = (client: string) =>
      (this.#inFlight.get(client) ?? 0) + (taken.get(client) ?? 0) <
      this.#windows.sizeOf(client, clientInFlightMax)
    let bytes = 0
    const fits = (item: T) => {
      bytes += item.bytes
      return this.#fits(bytes, items.length)
    }
    for (const item of [...this.#again.values().take(batchMax)]) {
      if (!fits(item)) return items
      this.#unwait(item)
      items.push(item)
    }
    while (items.length < batchMax) {
      const queued = this.#queue.take(mayHave)
      if (queued === undefined) break
      if (!fits(queued.item)) {
        this.#queue.addFirst(queued)
        break
      }
      this.#queued.delete(queued.item)
      items.push(queued.item)
      taken.set(queued.client, (taken.get(queued.client) ?? 0) + 1)
    }
    return items
  }

  /** @param before how many of the batch go beside the last of these bytes */
  #fits(bytes: number, before: number): boolean {
    const { batchMaxBytes, inFlightMaxBytes = Number.POSITIVE_INFINITY } = this.#limits
    if (before > 0 && bytes > batchMaxBytes) return false
    // Light: what is larger than the bound goes alone.
    if (before === 0 && this.#places.size === 0) return true
    return this.#inFlightBytes + bytes <= inFlightMaxBytes
  }

  /** When what waits is to be sent if nothing else comes; a time that has passed where none is. */
  gathersUntilMs(nowMs: number): number {
    const { afterAnswersMs, batchMax, besideOthersMs } = this.#limits
    const size = this.depth
    if (size === 0 || size >= batchMax) return nowMs
    const underWay = this.#held.reduce((sum, place) => sum + place.unanswered, 0)
    // Whoever was answered may well ask again at once.
    const again = size < this.#answered ? this.#answeredAtMs + afterAnswersMs : nowMs
    const beside = size < underWay ? this.#sentAtMs + besideOthersMs : nowMs
    return Math.max(nowMs, again, beside)
  }

  /** The broker has taken or refused the batch. */
  heard(batch: Batch<T>): void {
    this.#unconfirmed.delete(batch)
  }

  /** So has whoever tells that it has this one. */
  noticed(item: T): void {
    const place = this.#places.get(item)
    if (place !== undefined) this.#unconfirmed.delete(place.batch)
  }

  answered(item: T, nowMs: number): void {
    const place = this.#places.get(item)
    if (place !== undefined) {
      this.#answered += 1
      this.#answeredAtMs = nowMs
      this.#took(item, place.sentAtMs, nowMs)
    }
    this.settle(item)
  }

  /** Nobody waits any more for one that had no answer. */
  expired(item: T, nowMs: number): void {
    const place = this.#places.get(item)
    if (place !== undefined) this.#took(item, place.sentAtMs, nowMs)
    this.settle(item)
  }

  /** Answered, given up, or refused: not sent any more, and its place is free. */
  settle(item: T): void {
    this.#unwait(item)
    this.#leave(item)
  }

  /** The link has ended: nothing is in flight. What waits goes on waiting. */
  disconnect(): void {
    this.#places.clear()
    this.#inFlight.clear()
    this.#inFlightBytes = 0
    this.#held = []
    this.#unconfirmed.clear()
  }

  #hasRoom(nowMs: number): boolean {
    const { holdMs, inFlightMax, unconfirmedMax } = this.#limits
    if (this.depth === 0 || this.#unconfirmed.size >= unconfirmedMax) return false
    // Moving: a place is free again when its time is up.
    this.#held = this.#held.filter(p => p.unanswered > 0 && nowMs - p.sentAtMs < holdMs)
    return this.#held.length < inFlightMax
  }

  #unwait(item: T): void {
    if (this.#again.delete(item)) this.#againBytes -= item.bytes
    const queued = this.#queued.get(item)
    if (queued === undefined) return
    this.#queued.delete(item)
    this.#queue.delete(queued)
  }

  #took({ client = '' }: T, sentAtMs: number, nowMs: number): void {
    const { clientInFlightMax: most } = this.#limits
    if (most === undefined || !Number.isFinite(most)) return
    const inFlight = this.#inFlight.get(client) ?? 0
    this.#windows.took(client, { sentAtMs, nowMs, inFlight, most })
  }

  #count({ client = '', bytes }: T, by: 1 | -1): void {
    this.#inFlightBytes += by * bytes
    const count = (this.#inFlight.get(client) ?? 0) + by
    if (count > 0) this.#inFlight.set(client, count)
    else this.#inFlight.delete(client)
  }

  #leave(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#places.delete(item)
    this.#count(item, -1)
    place.unanswered -= 1
    this.#unconfirmed.delete(place.batch)
  }
}
