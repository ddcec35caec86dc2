/**
 * Bounded memory from SQL text to verdict; what was used least lately leaves first.
 * A hit costs 0.1 us, a parse with its walk 15 to 40.
 */
const ENTRIES_MAX = 2_000
/** Longer ones hold literals, and hardly come again. */
const CHARS_MAX = 8_192

export class VerdictCache<V> {
  readonly #verdicts = new Map<string, V>()

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
    this.#verdicts.set(sql, verdict)
    if (this.#verdicts.size > ENTRIES_MAX) {
      const eldest = this.#verdicts.keys().next()
      if (!eldest.done) this.#verdicts.delete(eldest.value)
    }
    return verdict
  }
}
