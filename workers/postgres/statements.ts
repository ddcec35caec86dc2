/**
 * Which SQL texts a connection keeps prepared. A text gets a name the second time
 * it is used (twice as fast from then on); texts used once, with literals in them
 * say, take no room. Bounded; the longest unused leaves first, and no name comes
 * twice. A schema change empties it, for prepared plans fix their result's columns.
 */
import type { Connection } from './connection.ts'
import type { Sink, Step, Value } from './steps.ts'

const NAMED_MAX = 300
const SEEN_MAX = 1_000
/** Longer texts are rarely used again, and cost most to keep. */
const TEXT_LENGTH_MAX = 20_000

export class Statements {
  readonly #connection: Connection
  readonly #kept = new Map<string, string>()
  readonly #named = new Map<string, string>()
  readonly #seen = new Set<string>()
  #made = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Sees to it that texts used before have names. To be called outside of a
   * transaction: in one that has failed nothing can be prepared.
   */
  prepare(texts: readonly string[]): void {
    for (const sql of new Set(texts)) {
      if (sql.length > TEXT_LENGTH_MAX) continue
      const name = this.#named.get(sql)
      if (name !== undefined) {
        this.#named.delete(sql)
        this.#named.set(sql, name)
      } else if (this.#seen.delete(sql)) {
        this.#named.set(sql, this.#prepare(sql))
      }
    }
    this.#forgetOldest()
  }

  /** Prepares one of Convoy's own texts, for good: no schema change touches it. */
  keep(sql: string): void {
    if (this.#kept.has(sql)) return
    this.#kept.set(sql, this.#prepare(sql))
  }

  step(sql: string, values: readonly Value[] = [], sink?: Sink): Step {
    const name = this.#kept.get(sql) ?? this.#named.get(sql)
    return { sql, values, ...(name !== undefined && { name }), ...(sink !== undefined && { sink }) }
  }

  /** A text that ran well; only such are worth a name. */
  ran(sql: string): void {
    if (sql === '') return
    if (this.#named.has(sql) || this.#kept.has(sql)) return
    if (this.#seen.size >= SEEN_MAX) this.#seen.clear()
    this.#seen.add(sql)
  }

  /** Whether plans of users' statements take memory of the connection's process. */
  get holdsAny(): boolean {
    return this.#named.size > 0
  }

  clear(): void {
    for (const name of this.#named.values()) this.#connection.forget(name)
    this.#named.clear()
    this.#seen.clear()
  }

  #prepare(sql: string): string {
    const name = `s${++this.#made}`
    this.#connection.prepare(name, sql)
    return name
  }

  #forgetOldest(): void {
    while (this.#named.size > NAMED_MAX) {
      const [oldest] = this.#named
      if (oldest === undefined) return
      this.#named.delete(oldest[0])
      this.#connection.forget(oldest[1])
    }
  }
}
