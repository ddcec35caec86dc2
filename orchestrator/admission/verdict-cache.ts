/**
 * Bounded memory from SQL text to verdict; what was used least lately leaves first.
 * A hit costs 0.1 us, a parse with its walk 15 to 40.
 */
const ENTRIES_MAX = 2_000
/** Longer ones hold literals, and hardly come again. */
const CHARS_MAX = 8_192
/** Of all texts together: at most 4 MB. */
const TOTAL_CHARS_MAX = 2_000_000

export class VerdictCache<V> {
  readonly #verdicts = new Map<string, V>()
  #chars = 0

  get chars(): number {
    return this.#chars
  }

  get(sql: string): V | undefined {
    const verdict = this.#verdicts.get(sql)
    if (verdict !== undefined) {
      this.#verdicts.delete(sql)
      this.#verdicts.set(sql, verdict)
    }
    return verdict
  }

  keep(sql: string, verdict: V): V {
    if (sql.length > CHARS_MAX) return verdict
    if (!this.#verdicts.has(sql)) this.#chars += sql.length
    this.#verdicts.set(sql, verdict)
    for (const eldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= ENTRIES_MAX && this.#chars <= TOTAL_CHARS_MAX) break
      this.#verdicts.delete(eldest)
      this.#chars -= eldest.length
    }
    return verdict
  }
}
