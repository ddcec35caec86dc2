/**
 * How fast the requests of a lane are answered, in bytes, as measured while there are some. Pure.
 * Where requests are large, bytes are what takes time; so this tells how much may wait to be
 * answered in time. Newer measurements count more: after `HALF_LIFE_MS` of work, half.
 */

const HALF_LIFE_MS = 2_000

export class Drain {
  #bytes = 0
  #ms = 0
  /** Of the last answer; work before it is counted. */
  #answeredAtMs = Number.NEGATIVE_INFINITY

  /** @param sentAtMs when it was sent: before, nothing needed to be under way */
  answered(bytes: number, { sentAtMs, nowMs }: { sentAtMs: number; nowMs: number }): void {
    const tookMs = Math.max(0, nowMs - Math.max(sentAtMs, this.#answeredAtMs))
    const kept = 2 ** (-tookMs / HALF_LIFE_MS)
    this.#bytes = this.#bytes * kept + bytes
    this.#ms = this.#ms * kept + tookMs
    this.#answeredAtMs = nowMs
  }

  /** Bytes that are answered within `ms`; any number while nothing is known. */
  bytesWithin(ms: number): number {
    return this.#ms < 1 ? Number.POSITIVE_INFINITY : (ms * this.#bytes) / this.#ms
  }

  msFor(bytes: number): number {
    return this.#bytes === 0 ? 0 : (bytes * this.#ms) / this.#bytes
  }
}
