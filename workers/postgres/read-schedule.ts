/**
 * Which of the waiting reads run next, and where. Pure: the caller runs them and tells how
 * that goes.
 * - Reads of texts that are known to be quick run in quick slots, several in one exchange.
 * - All others run alone; but of a client whose reads have all been quick lately, some unknown
 *   ones go together. No other client's read, and none that is known to be quick, is behind them.
 * - A read of an unknown text begins in a quick slot, where at least one is kept for quick
 *   reads. (Where there is only one, it runs in a slow slot.)
 * - A read that lasts leaves its quick slot: it goes on in a slow slot when its client may
 *   have one and nothing is behind it; else it is stopped and waits for a slow slot. No quick
 *   slot is therefore held for much longer than LASTS_MS, by whatever reads.
 * - A client may have as many slow slots as are free at that time, and no more: one client
 *   gets half of them, and there is one left for the next.
 * - What waits is bounded. Of the client that has most waiting, the newest leave.
 */
import { FairQueue, type Queued } from '../../platform/shares/fair-queue.ts'
import type { Pace } from '../../platform/shares/paces.ts'

/** Reads of one snapshot: more would make the first wait for the last. */
export const TOGETHER_MAX = 16
/** Unknown reads of one client: if one lasts, those behind it have waited for LASTS_MS in vain. */
const UNKNOWN_TOGETHER_MAX = 8
/** Messages' worth of reads that wait; with those that run they are fewer than the prefetch. */
const UNKNOWN_WAITING_MAX = 16
const SLOW_WAITING_MAX = 6
/** Slots whose reads do not stop when asked to, which others need not wait for. */
const STUCK_MAX = 4

export interface Scheduled extends Queued {
  pace: Pace
  /** In no exchange with others. */
  readonly alone?: boolean
}

export interface Slot<T> {
  kind: 'quick' | 'unknown' | 'slow' | 'stuck'
  readonly client: string
  items: readonly T[]
}

export interface SlotLimits {
  readonly quick: number
  readonly slow: number
}

export class ReadSchedule<T extends Scheduled> {
  #limits: SlotLimits
  readonly #waiting = {
    quick: new FairQueue<T>(),
    unknown: new FairQueue<T>(),
    slow: new FairQueue<T>()
  }
  readonly #running = { quick: 0, unknown: 0, slow: 0, stuck: 0 }
  readonly #slowOf = new Map<string, number>()
  readonly #isTrusted: (client: string) => boolean
  /** Where both could run, they take turns. */
  #turn: 'quick' | 'unknown' = 'quick'

  /** @param isTrusted whether all reads of a client have been quick lately */
  constructor(limits: SlotLimits, isTrusted: (client: string) => boolean = () => false) {
    this.#limits = limits
    this.#isTrusted = isTrusted
  }

  resize(limits: SlotLimits): void {
    this.#limits = limits
  }

  get running(): number {
    const { quick, unknown, slow, stuck } = this.#running
    return quick + unknown + slow + stuck
  }

  /** @returns those that find no room, or lose theirs to it */
  add(item: T): readonly T[] {
    const queue = this.#queueOf(item)
    const refused = queue === this.#waiting.quick ? [] : queue.makeRoom(item, this.#roomOf(queue))
    if (refused === undefined) return [item]
    queue.add(item)
    return refused
  }

  /** One that ran, and was cut off by no fault of its own. */
  addFirst(item: T): void {
    this.#queueOf(item).addFirst(item)
  }

  /** Takes out of what waits what `isOver` is true of. */
  expire(isOver: (item: T) => boolean): T[] {
    return Object.values(this.#waiting).flatMap(queue => {
      const over = [...queue].filter(isOver)
      for (const item of over) queue.delete(item)
      return over
    })
  }

  next(): Slot<T> | undefined {
    return this.#nextQuick() ?? this.#nextSlow()
  }

  /** The slot's exchange has taken LASTS_MS. `stop`: it is to be cancelled. */
  lasts(slot: Slot<T>): 'goes on' | 'moved' | 'stop' {
    if (slot.kind === 'slow' || slot.kind === 'stuck') return 'goes on'
    if (slot.items.length > 1 || !this.#mayHaveSlow(slot.client)) return 'stop'
    this.#move(slot, 'slow')
    return 'moved'
  }

  /** It was to be cancelled, and goes on. @returns whether others may have its place */
  resists(slot: Slot<T>): boolean {
    if (this.#running.stuck >= STUCK_MAX) return false
    this.#move(slot, 'stuck')
    return true
  }

  ended(slot: Slot<T>): void {
    this.#count(slot, -1)
  }

  #nextQuick(): Slot<T> | undefined {
    const { quick: max } = this.#limits
    const { quick, unknown } = this.#running
    if (quick + unknown >= max) return undefined
    const isUnknown = this.#waiting.unknown.size > 0 && unknown < max - 1
    const isQuick = this.#waiting.quick.size > 0
    if (isUnknown && (!isQuick || this.#turn === 'unknown')) {
      this.#turn = 'quick'
      return this.#begin('unknown', this.#takenUnknown())
    }
    if (!isQuick) return undefined
    this.#turn = 'unknown'
    return this.#begin('quick', this.#taken(this.#waiting.quick, TOGETHER_MAX))
  }

  #nextSlow(): Slot<T> | undefined {
    if (this.#waiting.slow.size === 0) return undefined
    const item = this.#waiting.slow.take(client => this.#mayHaveSlow(client))
    return item === undefined ? undefined : this.#begin('slow', [item])
  }

  #taken(queue: FairQueue<T>, max: number): T[] {
    const taken: T[] = []
    while (taken.length < max) {
      const item = queue.take()
      if (item === undefined) break
      taken.push(item)
    }
    return taken
  }

  #takenUnknown(): T[] {
    const { unknown } = this.#waiting
    const first = unknown.take()
    if (first === undefined) return []
    if (first.alone || !this.#isTrusted(first.client)) return [first]
    const taken = [first]
    while (taken.length < UNKNOWN_TOGETHER_MAX) {
      const item = unknown.take(client => client === first.client)
      if (item === undefined) break
      if (item.alone) {
        unknown.addFirst(item)
        break
      }
      taken.push(item)
    }
    return taken
  }

  #mayHaveSlow(client: string): boolean {
    return (this.#slowOf.get(client) ?? 0) < this.#limits.slow - this.#running.slow
  }

  #queueOf({ pace }: T): FairQueue<T> {
    const isSlow = pace === 'slow' || (pace === 'unknown' && this.#limits.quick === 1)
    return this.#waiting[isSlow ? 'slow' : pace]
  }

  #roomOf(queue: FairQueue<T>) {
    const cost = queue === this.#waiting.slow ? SLOW_WAITING_MAX : UNKNOWN_WAITING_MAX
    return { items: Number.POSITIVE_INFINITY, cost }
  }

  #begin(kind: Slot<T>['kind'], items: readonly T[]): Slot<T> {
    const slot = { kind, client: items[0]?.client ?? '', items }
    this.#count(slot, 1)
    return slot
  }

  #move(slot: Slot<T>, kind: Slot<T>['kind']): void {
    this.#count(slot, -1)
    slot.kind = kind
    this.#count(slot, 1)
  }

  #count({ kind, client }: Slot<T>, by: 1 | -1): void {
    this.#running[kind] += by
    if (kind !== 'slow') return
    const held = (this.#slowOf.get(client) ?? 0) + by
    if (held === 0) this.#slowOf.delete(client)
    else this.#slowOf.set(client, held)
  }
}
