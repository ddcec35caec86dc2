/**
 * Virtual time: everything that is going to happen, in order. Times are sums of what
 * the dice gave, so a seed brings the same order on any machine; what happens at one
 * time happens in the order in which it was planned.
 */

interface Moment {
  readonly atMs: number
  readonly order: number
  readonly happen: () => void
}

const isBefore = (a: Moment, b: Moment) =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

export class Timeline {
  nowMs = 0
  /** Moments that have happened. */
  count = 0
  #order = 0
  /** A binary heap: the next moment comes first. */
  readonly #heap: Moment[] = []

  after(delayMs: number, happen: () => void): void {
    const moment = { atMs: this.nowMs + delayMs, order: this.#order++, happen }
    const heap = this.#heap
    let at = heap.length
    heap.push(moment)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Moment
      if (!isBefore(moment, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = moment
  }

  /** The next moment. @returns false when nothing is planned any more */
  step(): boolean {
    const next = this.#heap[0]
    if (next === undefined) return false
    this.#removeFirst()
    this.nowMs = next.atMs
    this.count += 1
    next.happen()
    return true
  }

  #removeFirst(): void {
    const heap = this.#heap
    const moment = heap.pop() as Moment
    const { length } = heap
    if (length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= length) break
      const right = below + 1
      if (right < length && isBefore(heap[right] as Moment, heap[below] as Moment)) below = right
      const child = heap[below] as Moment
      if (!isBefore(child, moment)) break
      heap[at] = child
      at = below
    }
    heap[at] = moment
  }
}
