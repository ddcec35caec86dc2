/**
 * Since when a request that waits in a lane is kept waiting by those before it. Pure.
 * Invariant: waiting counts only while requests of the lane are answered. A master or a
 * RabbitMQ that has ended makes all of them wait, and that is no overload: whoever waits then
 * is answered later.
 */

/** Nothing was answered for so long: what happens is not overload. */
const GAP_MS = 1_000

export class Patience {
  #sinceMs = Number.POSITIVE_INFINITY
  #answeredAtMs = Number.NEGATIVE_INFINITY

  answered(nowMs: number): void {
    if (nowMs - this.#answeredAtMs > GAP_MS) this.#sinceMs = nowMs
    this.#answeredAtMs = nowMs
  }

  /** How long one has waited behind others that were let in at `atMs`; 0 while none is answered. */
  waitedMs(atMs: number, nowMs: number): number {
    if (nowMs - this.#answeredAtMs > GAP_MS) return 0
    return Math.max(0, nowMs - Math.max(atMs, this.#sinceMs))
  }
}
