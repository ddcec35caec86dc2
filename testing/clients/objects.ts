/**
 * Which objects are worked on at present. An object is given up for a new one after a
 * number of requests: checkers look at each whole, and an object that is read in full
 * must not grow for as long as a run lasts.
 */
import type { Model } from '../history/history.ts'
import type { Dice } from '../random.ts'

export const MODELS: readonly Model[] = ['register', 'set', 'list', 'counter', 'bank']

/** Of each model, at a time: few, so that clients meet at them. */
const AT_ONCE = 2
const REQUESTS_MAX: Readonly<Record<Model, number>> = {
  register: 150,
  set: 300,
  list: 200,
  counter: 1_000,
  bank: Number.POSITIVE_INFINITY // It needs an opening, and does not grow.
}

export interface ObjectName {
  readonly model: Model
  readonly key: string
}

export class Objects {
  readonly #live = new Map<Model, { key: string; requests: number }[]>()
  readonly #all: ObjectName[] = []
  readonly #prefix: string
  #last = 0

  /** @param prefix of all keys, where the tables are shared with others */
  constructor(prefix = '') {
    this.#prefix = prefix
    for (const model of MODELS) {
      this.#live.set(
        model,
        Array.from({ length: AT_ONCE }, () => this.#begin(model))
      )
    }
  }

  /** All that there ever were. */
  get all(): readonly ObjectName[] {
    return this.#all
  }

  pick(dice: Dice): ObjectName {
    const model = dice.pick(MODELS) as Model
    const live = this.#live.get(model) ?? []
    const at = dice.between(0, live.length - 1)
    const chosen = live[at] as { key: string; requests: number }
    chosen.requests += 1
    if (chosen.requests === REQUESTS_MAX[model]) live[at] = this.#begin(model)
    return { model, key: chosen.key }
  }

  /** A number that nobody has had. */
  unique(): number {
    return ++this.#last
  }

  #begin(model: Model): { key: string; requests: number } {
    const key = `${this.#prefix}${model}-${this.unique()}`
    this.#all.push({ model, key })
    return { key, requests: 0 }
  }
}
