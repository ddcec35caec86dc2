/**
 * Which of the reads that wait for one queue go next. Pure.
 * - Quick reads go as the lane takes them. Reads of a client that are not known to be quick
 *   go through its windows: one for unknown texts, one for slow ones. What waits for a slow
 *   read is therefore only what its client asked for of that kind.
 * - Clients have their turns, however much one of them has waiting.
 * - Bounded: in a full queue the newest reads of whoever has most make room for the others.
 */
import { FairQueue, type Room } from '../../platform/shares/fair-queue.ts'
import type { Pace } from '../../platform/shares/paces.ts'
import type { PendingRead } from './pending-reads.ts'
import { Window, type WindowSizes } from './window.ts'

type Kept = 'unknown' | 'slow'

const SIZES: Readonly<Record<Kept, WindowSizes>> = {
  unknown: { first: 8, least: 2, most: 64 },
  slow: { first: 4, least: 1, most: 16 }
}
/** Beyond, clients that have nothing under way are forgotten. */
const CLIENTS_MAX = 1_000

export class ReadShares {
  readonly #waiting: Readonly<Record<Pace, FairQueue<PendingRead>>> = {
    quick: new FairQueue(),
    unknown: new FairQueue(),
    slow: new FairQueue()
  }
  readonly #windows: Readonly<Record<Kept, Map<string, Window>>> = {
    unknown: new Map(),
    slow: new Map()
  }

  get depth(): number {
    const { quick, unknown, slow } = this.#waiting
    return quick.size + unknown.size + slow.size
  }

  /** @returns those that leave for want of room: it, or others that make room for it */
  offer(read: PendingRead, room: Room): readonly PendingRead[] {
    const queue = this.#waiting[read.pace]
    const left = queue.makeRoom(read, room)
    if (left === undefined) return [read]
    queue.add(read)
    return left
  }

  /** Let in before, and not executed: it goes ahead of its client's others. */
  again(read: PendingRead): void {
    this.#leave(read)
    this.#waiting[read.pace].addFirst(read)
  }

  takeQuick(): PendingRead | undefined {
    return this.#waiting.quick.take()
  }

  /** @returns the next read that is not known to be quick; from now on its window counts it */
  takeCareful(nowMs: number): PendingRead | undefined {
    return this.#takeKept('unknown', nowMs) ?? this.#takeKept('slow', nowMs)
  }

  /** Its execution, or the wait for it at a worker, lasts: it counts as slow from now on. */
  lasts(read: PendingRead): void {
    if (read.window !== 'unknown') return
    const window = this.#windowOf('unknown', read.client)
    window.inFlight -= 1
    window.lasts()
    read.window = 'slow'
    this.#windowOf('slow', read.client).inFlight += 1
  }

  answered(read: PendingRead): void {
    this.#waiting[read.pace].delete(read)
    this.#leave(read)?.answered()
  }

  busy(read: PendingRead, nowMs: number): void {
    this.#leave(read)?.busy(nowMs)
  }

  /** It does not wait any more, nor count. */
  settle(read: PendingRead): void {
    this.#waiting[read.pace].delete(read)
    this.#leave(read)
  }

  #takeKept(kind: Kept, nowMs: number): PendingRead | undefined {
    const queue = this.#waiting[kind]
    if (queue.size === 0) return undefined
    const read = queue.take(client => this.#windowOf(kind, client).isOpen(nowMs))
    if (read === undefined) return undefined
    this.#leave(read)
    read.window = kind
    this.#windowOf(kind, read.client).inFlight += 1
    return read
  }

  #leave(read: PendingRead): Window | undefined {
    if (read.window === null) return undefined
    const window = this.#windowOf(read.window, read.client)
    window.inFlight -= 1
    read.window = null
    return window
  }

  #windowOf(kind: Kept, client: string): Window {
    const windows = this.#windows[kind]
    const known = windows.get(client)
    if (known !== undefined) return known
    if (windows.size >= CLIENTS_MAX) {
      for (const [other, { inFlight }] of windows) if (inFlight === 0) windows.delete(other)
    }
    const window = new Window(SIZES[kind])
    windows.set(client, window)
    return window
  }
}
