/**
 * How fast the requests of a lane are answered, in bytes, as measured while there are some. Pure.
 * Where requests are large, bytes are what takes time; so this tells how much may wait to be
 * answered in time. Newer measurements count more: after `HALF_LIFE_MS` of work, half.
 */

const HALF_LIFE_MS = 2_000
/** Supposed before anything was answered; what is measured counts more with the first answer. */
const FIRST_BYTES_PER_MS = 4_000
const FIRST_MS = 100

export class Drain {
  #bytes = FIRST_BYTES_PER_MS * FIRST_MS
  #ms = FIRST_MS
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

  /** Bytes that are answered within `ms`. */
  bytesWithin(ms: number): number {
    return (ms * this.#bytes) / Math.max(1, this.#ms)
  }

  msFor(bytes: number): number {
    return (bytes * this.#ms) / Math.max(1, this.#bytes)
  }
}
