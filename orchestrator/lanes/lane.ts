/**
 * Decides what is sent when to one queue: an idle lane sends at once, a busy one
 * gathers, for a batch costs about the same whatever is in it
 * (docs/decisions/lanes-gather.md). Pure: the caller gives the time and does the sending.
 * Invariants:
 * - Bounded: `offer` refuses beyond the limits; nothing else lets requests in.
 * - Moving: a batch holds its place until all of it is answered or `holdMs` has
 *   passed, so that one slow request does not stop those behind it.
 * - Heard: at most `unconfirmedMax` batches are on their way of which nothing was heard (the
 *   broker's confirmation, or what became of a request in it), for what is published to a
 *   blocked broker piles up in memory.
 */

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
}

export interface Sendable {
  readonly bytes: number
}

export interface Batch<T> {
  readonly items: readonly T[]
  readonly sentAtMs: number
}

interface Place<T> {
  readonly batch: Batch<T>
  unanswered: number
  readonly sentAtMs: number
}

export class Lane<T extends Sendable> {
  #limits: LaneLimits
  /** In the order of sending. */
  #waiting = new Set<T>()
  #waitingBytes = 0
  readonly #places = new Map<T, Place<T>>()
  #held: Place<T>[] = []
  #sentAtMs = Number.NEGATIVE_INFINITY
  /** Since the last batch was sent. */
  #answered = 0
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #unconfirmed = new Set<Batch<T>>()

  constructor(limits: LaneLimits) {
    this.#limits = limits
  }

  /** What waits and is under way stays so; the limits hold from the next request on. */
  resize(limits: LaneLimits): void {
    this.#limits = limits
  }

  /** Requests that wait to be sent. */
  get depth(): number {
    return this.#waiting.size
  }

  get unconfirmed(): number {
    return this.#unconfirmed.size
  }

  /** @returns false when the lane is full (Bounded) */
  offer(item: T): boolean {
    const { waitingMax, waitingMaxBytes } = this.#limits
    if (this.#waiting.size >= waitingMax) return false
    if (this.#waiting.size > 0 && this.#waitingBytes + item.bytes > waitingMaxBytes) return false
    this.#wait(item)
    return true
  }

  /** Sends once more what had been let in before, ahead of what waits. */
  again(items: readonly T[]): void {
    if (items.length === 0) return
    const behind = this.#waiting
    this.#waiting = new Set()
    this.#waitingBytes = 0
    for (const item of items) this.#wait(item)
    for (const item of behind) this.#wait(item)
  }

  /** What to send now; undefined when nothing waits, every place is held, or more is expected. */
  next(nowMs: number): Batch<T> | undefined {
    const { batchMax, batchMaxBytes } = this.#limits
    if (!this.#hasRoom(nowMs) || this.gathersUntilMs(nowMs) > nowMs) return undefined
    const items: T[] = []
    let bytes = 0
    for (const item of this.#waiting) {
      bytes += item.bytes
      if (items.length === batchMax || (items.length > 0 && bytes > batchMaxBytes)) break
      items.push(item)
    }
    const batch = { items, sentAtMs: nowMs }
    const place = { batch, unanswered: items.length, sentAtMs: nowMs }
    for (const item of items) {
      this.#unwait(item)
      this.#leave(item)
      this.#places.set(item, place)
    }
    this.#held.push(place)
    this.#unconfirmed.add(batch)
    this.#sentAtMs = nowMs
    this.#answered = 0
    return batch
  }

  /** When what waits is to be sent if nothing else comes; a time that has passed where none is. */
  gathersUntilMs(nowMs: number): number {
    const { afterAnswersMs, batchMax, besideOthersMs } = this.#limits
    const { size } = this.#waiting
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

  answered(item: T, nowMs: number): void {
    if (this.#places.has(item)) {
      this.#answered += 1
      this.#answeredAtMs = nowMs
    }
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
    this.#held = []
    this.#unconfirmed.clear()
  }

  #hasRoom(nowMs: number): boolean {
    const { holdMs, inFlightMax, unconfirmedMax } = this.#limits
    if (this.#waiting.size === 0 || this.#unconfirmed.size >= unconfirmedMax) return false
    // Moving: a place is free again when its time is up.
    this.#held = this.#held.filter(p => p.unanswered > 0 && nowMs - p.sentAtMs < holdMs)
    return this.#held.length < inFlightMax
  }

  #wait(item: T): void {
    if (this.#waiting.has(item)) return
    this.#waiting.add(item)
    this.#waitingBytes += item.bytes
  }

  #unwait(item: T): void {
    if (this.#waiting.delete(item)) this.#waitingBytes -= item.bytes
  }

  #leave(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#places.delete(item)
    place.unanswered -= 1
    this.#unconfirmed.delete(place.batch)
  }
}
