/**
 * A queue that serves its clients in turn, one item each, however many one of them has
 * waiting. Items of one client keep their order. Pure.
 * Invariant: each operation costs the same however much waits, except that `take` looks at
 * the clients that it must pass over, and `makeRoom` at all clients.
 */

interface Share<T> {
  readonly items: Set<T>
  cost: number
}

export interface Queued {
  readonly client: string
  /** In whatever unit the room is counted: bytes, say. */
  readonly cost: number
}

export interface Room {
  readonly items: number
  readonly cost: number
}

export class FairQueue<T extends Queued> {
  /** In the order in which clients have their turn. */
  readonly #shares = new Map<string, Share<T>>()
  #size = 0
  #cost = 0

  get size(): number {
    return this.#size
  }

  get cost(): number {
    return this.#cost
  }

  /** Clients that have something waiting. */
  get clients(): number {
    return this.#shares.size
  }

  sizeOf(client: string): number {
    return this.#shares.get(client)?.items.size ?? 0
  }

  add(item: T): void {
    const share = this.#shares.get(item.client) ?? { items: new Set(), cost: 0 }
    this.#shares.set(item.client, share)
    if (share.items.has(item)) return
    share.items.add(item)
    share.cost += item.cost
    this.#size += 1
    this.#cost += item.cost
  }

  /** Ahead of what its client has waiting: it had its turn before. */
  addFirst(item: T): void {
    const behind = this.#shares.get(item.client)?.items ?? new Set<T>()
    this.#shares.delete(item.client)
    this.#size -= behind.size
    for (const one of behind) this.#cost -= one.cost
    this.add(item)
    for (const one of behind) this.add(one)
  }

  delete(item: T): boolean {
    const share = this.#shares.get(item.client)
    if (share === undefined || !share.items.delete(item)) return false
    share.cost -= item.cost
    this.#size -= 1
    this.#cost -= item.cost
    if (share.items.size === 0) this.#shares.delete(item.client)
    return true
  }

  /** The next item of the first client in turn that may have one. */
  take(mayHave: (client: string) => boolean = () => true): T | undefined {
    for (const [client, share] of this.#shares) {
      if (!mayHave(client)) continue
      const [item] = share.items
      if (item === undefined) continue
      this.#shares.delete(client)
      this.#shares.set(client, share)
      this.delete(item)
      return item
    }
    return undefined
  }

  /**
   * Makes room for an item of a client that has less waiting than others: the newest items of
   * whoever has the most leave.
   * @returns what left; undefined when there is no room, and nothing left
   */
  makeRoom(item: T, room: Room): T[] | undefined {
    const left: T[] = []
    while (this.#lacksRoom(item, room)) {
      const newest = this.#newestOfLargest(item, room)
      if (newest === undefined) {
        for (const one of left.toReversed()) this.add(one)
        return undefined
      }
      this.delete(newest)
      left.push(newest)
    }
    return left
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const { items } of this.#shares.values()) yield* items
  }

  #lacksRoom(item: T, room: Room): boolean {
    if (this.#size >= room.items) return true
    return this.#size > 0 && this.#cost + item.cost > room.cost
  }

  #newestOfLargest(item: T, room: Room): T | undefined {
    const byItems = this.#size >= room.items
    const amountOf = (share: Share<T>) => (byItems ? share.items.size : share.cost)
    const own = this.#shares.get(item.client)
    const wanted = (own === undefined ? 0 : amountOf(own)) + (byItems ? 1 : item.cost)
    let largest: Share<T> | undefined
    for (const share of this.#shares.values()) {
      if (amountOf(share) > Math.max(wanted, largest ? amountOf(largest) : 0)) largest = share
    }
    return largest === undefined ? undefined : [...largest.items].at(-1)
  }
}
