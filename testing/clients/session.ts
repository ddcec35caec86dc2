/**
 * What one client knows: it asks one thing at a time, what it is told is its session, and
 * what it asks next follows from that. Turns what was answered into the records that the
 * checkers of `testing/history/` judge.
 */
import type { Action, Change, Consistency, Read } from '../history/history.ts'
import type { Dice } from '../random.ts'
import { ACCOUNTS, READINGS } from './models.ts'
import type { ObjectName } from './objects.ts'
import { type Attempt, outcomeOf, outcomeOfAll } from './outcomes.ts'

interface Asked {
  readonly object: ObjectName
  readonly beginMs: number
  /** When the last attempt ended. */
  readonly endMs: number
  /** All sendings of the request; at least one. */
  readonly attempts: readonly Attempt[]
}

export interface AskedChange extends Asked {
  readonly action: Action
  readonly requestId: string
}

export interface AskedRead extends Asked {
  readonly consistency: Consistency
  readonly minIndex: number | null
}

export class Session {
  readonly process: string
  /** Values that it believes registers to have. */
  readonly #registers = new Map<string, number>()
  #index = 0

  constructor(process: string) {
    this.process = process
  }

  /** The highest that any answer has shown. */
  get index(): number {
    return this.#index
  }

  /** @param unique gives a number that nobody has had */
  draw({ model, key }: ObjectName, dice: Dice, unique: () => number): Action {
    switch (model) {
      case 'register': {
        const from = this.#registers.get(key)
        if (from === undefined || dice.chance(0.3)) return { do: 'write', value: unique() }
        return { do: 'swap', from, to: unique() }
      }
      case 'set':
        return { do: 'insert', element: unique() }
      case 'list':
        return { do: 'append', element: unique() }
      case 'counter':
        return { do: 'add', amount: dice.between(1, 9) }
      case 'bank': {
        const from = dice.between(0, ACCOUNTS - 1)
        const to = (from + dice.between(1, ACCOUNTS - 1)) % ACCOUNTS
        return { do: 'transfer', from, to, amount: dice.between(1, 60) }
      }
    }
  }

  change({ object, action, requestId, beginMs, endMs, attempts }: AskedChange): Change {
    const outcome = outcomeOfAll(attempts)
    const index = outcome === 'ok' ? indexOf(attempts.at(-1)) : null
    this.#saw(index)
    if (outcome === 'ok' && action.do === 'write') this.#registers.set(object.key, action.value)
    if (outcome === 'ok' && action.do === 'swap') this.#registers.set(object.key, action.to)
    // It has another value: found out by the next read.
    if (outcome === 'rejected') this.#registers.delete(object.key)
    return {
      ...{ kind: 'change', process: this.process, ...object, requestId, action, beginMs },
      ...{ endMs: outcome === 'unknown' ? Number.POSITIVE_INFINITY : endMs, outcome, index }
    }
  }

  read({ object, consistency, minIndex, beginMs, endMs, attempts }: AskedRead): Read {
    const last = attempts.at(-1) as Attempt
    const outcome = outcomeOf(last)
    const isOk = outcome === 'ok'
    const value = isOk ? READINGS[object.model].valueOf((last.body as Rows).rows) : null
    const index = isOk ? indexOf(last) : null
    this.#saw(index)
    if (object.model === 'register' && typeof value === 'number') {
      this.#registers.set(object.key, value)
    }
    return {
      ...{ kind: 'read', process: this.process, ...object, consistency, minIndex, value, beginMs },
      ...{ endMs: outcome === 'unknown' ? Number.POSITIVE_INFINITY : endMs, outcome, index }
    }
  }

  #saw(index: number | null): void {
    this.#index = Math.max(this.#index, index ?? 0)
  }
}

interface Rows {
  readonly rows: readonly Record<string, unknown>[]
}

const indexOf = (attempt: Attempt | undefined): number | null =>
  (attempt?.body as { index?: number } | undefined)?.index ?? null
