/**
 * Answers of replicas that are kept for who asks the same again. Pure: times come in,
 * and what is heard and told; whoever owns it does the asking. What may be told is
 * decided in heard.ts, anew for each read: see docs/decisions/read-cache.md.
 */
import type { Param } from '../../wire/requests.ts'
import { Answers } from './answers.ts'
import { type Ground, Heard, isVoid, type Refusal, tellableAt } from './heard.ts'
import { Recent } from './recent.ts'
import { type Statement, Statements } from './statements.ts'

const HEAD = '{"index":'

export interface AskedRead {
  readonly sql: string
  readonly params: readonly Param[]
  readonly minIndex: number
}

/** Where an answer may be kept when it comes. */
export interface Place {
  readonly key: string
  readonly ground: Ground
}

/** What became of a read here. */
export type Outcome = 'hit' | 'new' | Refusal

export interface Found {
  /** The whole answer; null when it is to be asked for. */
  readonly body: string | null
  /** Null: that answer is not to be kept. */
  readonly place: Place | null
}

const NOTHING: Found = { body: null, place: null }

export class ReadCache {
  readonly heard = new Heard()
  readonly statements = new Statements(this.heard)
  readonly counts: Record<Outcome, number> = {
    ...{ hit: 0, new: 0, unheard: 0, changed: 0, unproved: 0, behind: 0 }
  }
  readonly #answers: Answers
  readonly #recent = new Recent()
  readonly #maxAgeMs: number
  #repeatedMs = Number.NEGATIVE_INFINITY

  constructor(limits: { readonly maxBytes: number; readonly maxAgeMs: number }) {
    this.#answers = new Answers(limits.maxBytes)
    this.#maxAgeMs = limits.maxAgeMs
  }

  get size(): number {
    return this.#answers.size
  }

  get bytes(): number {
    return this.#answers.bytes
  }

  /** When a read came last that had come before: only then is it worth to listen. */
  get repeatedMs(): number {
    return this.#repeatedMs
  }

  look(asked: AskedRead, nowMs: number): Found {
    const statement = this.statements.get(asked.sql)
    if (statement === undefined) return this.#meet(asked, nowMs)
    if (this.statements.isNever(statement)) return this.#missed('new')
    const key = keyOf(statement, asked)
    const kept = this.#answers.get(key)
    if (kept === undefined && !this.#recent.met(key, nowMs)) return this.#missed('new')
    this.#repeatedMs = nowMs
    const ask = { nowMs, minIndex: asked.minIndex, maxAgeMs: this.#maxAgeMs }
    const at = kept === undefined ? 'new' : tellableAt(kept, this.heard, ask)
    if (kept === undefined || typeof at === 'string') {
      const why = typeof at === 'string' ? at : 'new'
      return this.#missed(why, this.#placeFor(key, statement, asked.params))
    }
    kept.told = true
    this.counts.hit += 1
    return { body: `${HEAD}${at}${kept.rest}`, place: null }
  }

  /** An answer of a replica has come for `place`. */
  keep({ key, ground }: Place, body: Buffer): void {
    const text = body.toString()
    const comma = text.indexOf(',')
    const index = text.startsWith(HEAD) ? Number(text.slice(HEAD.length, comma)) : Number.NaN
    // It may have changed while the answer was on its way.
    if (!Number.isSafeInteger(index) || isVoid(index, ground, this.heard) !== null) return
    this.#answers.keep({ key, index, ground, rest: text.slice(comma) })
  }

  clear(): void {
    this.#answers.clear()
  }

  /** A statement becomes one when it is asked again, with the same parameters. */
  #meet(asked: AskedRead, nowMs: number): Found {
    if (!this.#recent.met(keyOf(undefined, asked), nowMs)) return this.#missed('new')
    const statement = this.statements.make(asked.sql)
    this.#recent.met(keyOf(statement, asked), nowMs)
    this.#repeatedMs = nowMs
    this.statements.want(statement)
    return this.#missed('new')
  }

  #missed(outcome: Outcome, place: Place | null = null): Found {
    this.counts[outcome] += 1
    return place === null ? NOTHING : { body: null, place }
  }

  #placeFor(key: string, statement: Statement, params: readonly Param[]): Place | null {
    const ground = this.statements.groundOf(statement, params)
    return ground === null ? null : { key, ground }
  }
}

const keyOf = (statement: Statement | undefined, { sql, params }: AskedRead): string =>
  `${statement?.id ?? sql} ${JSON.stringify(params)}`
