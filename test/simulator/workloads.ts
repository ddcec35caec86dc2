/**
 * What simulated clients ask: the workloads that other databases are judged by, as
 * statements of rows.ts, and what was told of them as operations of a history.
 */
import type { Action, Consistency, Model, Value } from '../../testing/history/history.ts'
import type { Dice } from '../../testing/random.ts'
import { BANK_ACCOUNTS } from './rows.ts'

/** One thing to ask. */
export type Ask =
  | {
      readonly kind: 'change'
      readonly model: Model
      readonly key: string
      readonly action: Action
    }
  | {
      readonly kind: 'read'
      readonly model: Model
      readonly key: string
      readonly consistency: Consistency
    }

interface Workload {
  readonly models: readonly Model[]
  /** How often a client changes something; otherwise it reads. */
  readonly changes: number
  readonly reads: readonly Consistency[]
}

const ALL: readonly Consistency[] = ['replica', 'session', 'strong']

const WORKLOADS: Readonly<Record<string, Workload>> = {
  register: {
    models: ['register'],
    changes: 0.6,
    reads: ['strong', 'strong', 'replica', 'session']
  },
  set: { models: ['set'], changes: 0.6, reads: ALL },
  append: { models: ['list'], changes: 0.6, reads: ['strong', 'replica', 'session'] },
  bank: { models: ['bank'], changes: 0.6, reads: ALL },
  counter: { models: ['counter'], changes: 0.6, reads: ['strong', 'replica', 'replica'] },
  /** Each process sees what it and others did in one order. */
  sequential: { models: ['set', 'list'], changes: 0.5, reads: ['session'] },
  /** What was seen once is seen ever after. */
  monotonic: {
    models: ['counter', 'list'],
    changes: 0.3,
    reads: ['session', 'session', 'strong', 'replica', 'replica']
  },
  'read your writes': {
    models: ['register', 'set'],
    changes: 0.5,
    reads: ['session', 'strong', 'replica']
  },
  mixed: { models: ['register', 'set', 'list', 'bank', 'counter'], changes: 0.6, reads: ALL }
}
const NAMES = Object.keys(WORKLOADS)

export class Asking {
  readonly name: string
  readonly #dice: Dice
  readonly #workload: Workload
  #elements = 0

  constructor(dice: Dice) {
    this.#dice = dice
    this.name = dice.pick(NAMES) ?? 'mixed'
    this.#workload = WORKLOADS[this.name] as Workload
  }

  next(): Ask {
    const { models, changes, reads } = this.#workload
    const model = this.#dice.pick(models) ?? 'register'
    const key = `${model}${model === 'bank' ? 0 : this.#dice.between(0, 1)}`
    if (this.#dice.chance(changes)) {
      return { kind: 'change', model, key, action: this.#action(model) }
    }
    return { kind: 'read', model, key, consistency: this.#dice.pick(reads) ?? 'strong' }
  }

  #action(model: Model): Action {
    const dice = this.#dice
    this.#elements += 1
    switch (model) {
      case 'register': {
        const from = dice.chance(0.1) ? null : dice.between(0, 4)
        const to = dice.between(0, 4)
        return dice.chance(0.5) ? { do: 'write', value: to } : { do: 'swap', from, to }
      }
      case 'set':
        return { do: 'insert', element: this.#elements }
      case 'list':
        return { do: 'append', element: this.#elements }
      case 'counter':
        return { do: 'add', amount: dice.between(1, 3) }
      case 'bank': {
        const from = dice.between(0, BANK_ACCOUNTS - 1)
        const to = (from + dice.between(1, BANK_ACCOUNTS - 1)) % BANK_ACCOUNTS
        return { do: 'transfer', from, to, amount: dice.between(1, 20) }
      }
    }
  }
}

export function statementOf(key: string, action: Action): string {
  switch (action.do) {
    case 'write':
      return `write ${key} ${action.value}`
    case 'swap':
      return `swap ${key} ${action.from ?? ''} ${action.to}`
    case 'insert':
    case 'append':
      return `${action.do} ${key} ${action.element}`
    case 'add':
      return `add ${key} ${action.amount}`
    case 'transfer':
      return `transfer ${key} ${action.from} ${action.to} ${action.amount}`
  }
}

export function shownBy(model: Model, row: string): Value {
  if (model === 'register') return row === '' ? null : Number(row)
  if (model === 'counter') return Number(row)
  return row === '' ? [] : row.split(',').map(Number)
}
