/**
 * Which statements are quick, by how long they took lately. Pure.
 * - A text is known by what was measured for the same client, so that no client can make
 *   another one's statements look slow, or have slow ones taken for quick.
 * - A verdict changes by one step at a time, from quick over unknown to slow and back, and a
 *   text that was quick several times stays so for as many delays of a busy machine, up to
 *   CREDIT_MAX.
 * - Bounded: by clients, by texts of each, and in time.
 */
import { hash } from 'node:crypto'

export type Pace = 'quick' | 'unknown' | 'slow'

/** Running for longer, a statement is slow. */
export const LASTS_MS = 100
const CREDIT_MAX = 3
/** So many statements in a row that did not last make a client steady. */
const STEADY_AFTER = 32
const SLOW = -1
const SLOW_FOR_MS = 30_000
const QUICK_FOR_MS = 300_000
const CLIENTS_MAX = 200
const TEXTS_MAX = 500
/** Longer texts are known by their digest. */
const KEPT_CHARS = 200

interface Verdict {
  /** SLOW, 0 for unknown, or so many times quick. */
  readonly level: number
  readonly atMs: number
}

export class Paces {
  /** Who was seen last is last; so are its texts. */
  readonly #clients = new Map<string, Map<string, Verdict>>()
  /** Of each client, statements in a row that did not last. */
  readonly #streaks = new Map<string, number>()

  of(client: string, sql: string, nowMs: number): Pace {
    const verdict = this.#clients.get(client)?.get(keyOf(sql))
    const level = levelOf(verdict, nowMs)
    return level === SLOW ? 'slow' : level === 0 ? 'unknown' : 'quick'
  }

  /** @param ms how long its execution took, or has taken so far */
  took(statement: { client: string; sql: string }, ms: number, nowMs: number): void {
    const key = keyOf(statement.sql)
    const texts = this.#textsOf(statement.client)
    const before = levelOf(texts.get(key), nowMs)
    const level = ms >= LASTS_MS ? before - 1 : before + 1
    this.#streaks.set(
      statement.client,
      ms >= LASTS_MS ? 0 : (this.#streaks.get(statement.client) ?? 0) + 1
    )
    texts.delete(key)
    texts.set(key, { level: Math.min(CREDIT_MAX, Math.max(SLOW, level)), atMs: nowMs })
    forgetOldest(texts, TEXTS_MAX)
  }

  /** Whether its statements have all been quick lately, whatever their texts. */
  isSteady(client: string): boolean {
    return (this.#streaks.get(client) ?? 0) >= STEADY_AFTER
  }

  #textsOf(client: string): Map<string, Verdict> {
    const texts = this.#clients.get(client) ?? new Map<string, Verdict>()
    this.#clients.delete(client)
    this.#clients.set(client, texts)
    const forgotten = forgetOldest(this.#clients, CLIENTS_MAX)
    if (forgotten !== undefined) this.#streaks.delete(forgotten)
    return texts
  }
}

function levelOf(verdict: Verdict | undefined, nowMs: number): number {
  if (verdict === undefined) return 0
  const forMs = verdict.level === SLOW ? SLOW_FOR_MS : QUICK_FOR_MS
  return nowMs - verdict.atMs < forMs ? verdict.level : 0
}

const keyOf = (sql: string): string =>
  sql.length <= KEPT_CHARS ? sql : hash('sha1', sql, 'base64')

function forgetOldest<V>(map: Map<string, V>, max: number): string | undefined {
  if (map.size <= max) return undefined
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return oldest
  }
  return undefined
}
