/**
 * Reads that brought down two workers, remembered for a while: the same statement with the
 * same values, asked again, would bring down two more. Pure; bounded.
 */
import { hash } from 'node:crypto'

const KEPT_MAX = 100
const KEPT_MS = 600_000

export class HarmfulReads {
  readonly #atMs = new Map<string, number>()

  /** @param what statement and values as text */
  add(what: string, nowMs: number): void {
    const [oldest] = this.#atMs.keys()
    if (this.#atMs.size >= KEPT_MAX && oldest !== undefined) this.#atMs.delete(oldest)
    this.#atMs.set(digestOf(what), nowMs)
  }

  has(what: () => string, nowMs: number): boolean {
    if (this.#atMs.size === 0) return false
    const digest = digestOf(what())
    const atMs = this.#atMs.get(digest)
    if (atMs === undefined) return false
    if (nowMs - atMs < KEPT_MS) return true
    this.#atMs.delete(digest)
    return false
  }
}

/** Short enough for a log line, too. */
export const digestOf = (what: string): string => hash('sha256', what, 'base64url').slice(0, 22)
