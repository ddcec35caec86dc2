/**
 * Which statements are quick, by how long they took lately. Pure.
 * - A text is known by what was measured for the same client, so that no client can make
 *   another one's statements look slow, or have slow ones taken for quick.
 * - A verdict changes by one step at a time, from quick over unknown to slow and back: one
 *   delay of a busy machine makes no text slow, and one lucky parameter makes none quick
 *   that was slow.
 * - Bounded: by clients, by texts of each, and in time.
 */
import { hash } from 'node:crypto'

export type Pace = 'quick' | 'unknown' | 'slow'

/** Running for longer, a statement is slow. */
export const LASTS_MS = 100
const SLOW_FOR_MS = 30_000
const QUICK_FOR_MS = 300_000
const CLIENTS_MAX = 200
const TEXTS_MAX = 500
/** Longer texts are known by their digest. */
const KEPT_CHARS = 200

interface Verdict {
  pace: Pace
  atMs: number
}

export class Paces {
  /** Who was seen last is last; so are its texts. */
  readonly #clients = new Map<string, Map<string, Verdict>>()

  of(client: string, sql: string, nowMs: number): Pace {
    const verdict = this.#clients.get(client)?.get(keyOf(sql))
    return verdict === undefined ? 'unknown' : paceNow(verdict, nowMs)
  }

  /** @param ms how long its execution took, or has taken so far */
  took(statement: { client: string; sql: string }, ms: number, nowMs: number): void {
    const key = keyOf(statement.sql)
    const texts = this.#textsOf(statement.client)
    const known = texts.get(key)
    const before = known === undefined ? 'unknown' : paceNow(known, nowMs)
    const pace = ms >= LASTS_MS ? slower(before) : quicker(before)
    texts.delete(key)
    texts.set(key, { pace, atMs: nowMs })
    forgetOldest(texts, TEXTS_MAX)
  }

  #textsOf(client: string): Map<string, Verdict> {
    const texts = this.#clients.get(client) ?? new Map<string, Verdict>()
    this.#clients.delete(client)
    this.#clients.set(client, texts)
    forgetOldest(this.#clients, CLIENTS_MAX)
    return texts
  }
}

function paceNow({ pace, atMs }: Verdict, nowMs: number): Pace {
  const forMs = pace === 'slow' ? SLOW_FOR_MS : QUICK_FOR_MS
  return nowMs - atMs < forMs ? pace : 'unknown'
}

const slower = (pace: Pace): Pace => (pace === 'quick' ? 'unknown' : 'slow')
const quicker = (pace: Pace): Pace => (pace === 'slow' ? 'unknown' : 'quick')

const keyOf = (sql: string): string =>
  sql.length <= KEPT_CHARS ? sql : hash('sha1', sql, 'base64')

function forgetOldest<V>(map: Map<string, V>, max: number): void {
  if (map.size <= max) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
