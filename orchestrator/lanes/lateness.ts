/**
 * When an answer counts as late, so that the request is sent once more. Pure.
 * Invariant: under load, when all are slow, further copies do not double it: one is late
 * only when it takes several times as long as its like do at present. How long one takes
 * counts from its last sending: what waited for its copy, or for the broker, is not slow.
 * A copy of a large request costs as much as many small ones, so it is late as much later.
 */

const LATE_FACTOR = 4
const SMOOTHING = 0.05
/** Requests of up to so many bytes count as small. */
const SMALL_BYTES = 128 * 1024

export class Lateness {
  readonly #leastMs: number
  #smoothedMs = 0

  /** @param leastMs nothing is late before */
  constructor(leastMs: number) {
    this.#leastMs = leastMs
  }

  /** One took so long. */
  answered(tookMs: number): void {
    this.#smoothedMs += SMOOTHING * (tookMs - this.#smoothedMs)
  }

  get lateMs(): number {
    return Math.max(this.#leastMs, LATE_FACTOR * this.#smoothedMs)
  }

  lateMsOf(bytes: number): number {
    return this.lateMs * Math.max(1, bytes / SMALL_BYTES)
  }
}
