/**
 * Histories that keep every law, for the tests of the checkers: a perfect database
 * serves processes that overlap, fail and lose answers. What a test then damages
 * is its own doing.
 */
import { Dice } from '../random.ts'
import type { Action, Consistency, History, Model, Operation, Promises, Value } from './history.ts'

export const PROMISES: Promises = { maxReadAgeMs: 50, bankTotal: 40 }
const ACCOUNTS = 4

export interface Wanted {
  readonly seed: number
  readonly operations: number
  readonly processes: number
  /** How many objects of each model. */
  readonly keys: number
}

/** When an operation is asked, done and answered, as if on time; what it comes to follows from that. */
interface Plan {
  readonly process: string
  readonly beginMs: number
  readonly doneMs: number
  readonly endMs: number
  readonly model: Model
  readonly key: string
  readonly action: Action | null
  readonly number: number
  /** Of a change: whether the answer is lost, or refused without being done. */
  readonly fate: 'answered' | 'lost' | 'failed' | 'never done'
}

const MODELS: readonly Model[] = ['register', 'set', 'list', 'bank', 'counter']

export function generate(wanted: Wanted): History {
  const dice = new Dice(wanted.seed)
  const plans = plan(wanted, dice)
  const database = new Database()
  const told = new Map<string, { endMs: number; index: number }[]>()
  const history: Operation[] = []
  for (const one of plans.sort((a, b) => a.doneMs - b.doneMs)) {
    const operation =
      one.action === null ? read(one, { database, dice, told }) : change(one, database)
    history.push(operation)
    if (operation.outcome !== 'ok' || operation.index === null) continue
    const heard = told.get(one.process) ?? []
    told.set(one.process, [...heard.slice(-1), { endMs: one.endMs, index: operation.index }])
  }
  return history
}

function plan({ operations, processes, keys }: Wanted, dice: Dice): Plan[] {
  const freeMs = Array.from({ length: processes }, () => dice.next() * 10)
  return Array.from({ length: operations }, (_, number): Plan => {
    const client = number % processes
    const beginMs = (freeMs[client] as number) + dice.next() * 5
    const doneMs = beginMs + dice.next() * 10
    const endMs = doneMs + dice.next() * 10
    freeMs[client] = endMs
    const model = dice.pick(MODELS) as Model
    const key = `${model[0]}${dice.between(1, keys)}`
    const action = dice.chance(0.5) ? actionOf(model, number, dice) : null
    const fate = dice.chance(0.9)
      ? 'answered'
      : dice.pick(['lost', 'failed', 'never done'] as const)
    const when = { process: `p${client}`, beginMs, doneMs, endMs }
    return { ...when, model, key, action, number, fate: fate ?? 'answered' }
  })
}

function actionOf(model: Model, number: number, dice: Dice): Action {
  switch (model) {
    case 'register': {
      const from = dice.chance(0.3) ? null : dice.between(1, 3)
      const to = dice.between(1, 3)
      return dice.chance(0.5) ? { do: 'write', value: to } : { do: 'swap', from, to }
    }
    case 'set':
      return { do: 'insert', element: number }
    case 'list':
      return { do: 'append', element: number }
    case 'bank': {
      const from = dice.between(0, ACCOUNTS - 1)
      const to = (from + 1) % ACCOUNTS
      return { do: 'transfer', from, to, amount: dice.between(1, 8) }
    }
    case 'counter':
      return { do: 'add', amount: dice.between(1, 5) }
  }
}

function change(one: Plan, database: Database): Operation {
  const { process, model, key, beginMs, number } = one
  const asked = { kind: 'change', process, model, key, beginMs } as const
  const action = one.action as Action
  const requestId = `r${number}`
  const unanswered = { ...asked, requestId, action, endMs: Number.POSITIVE_INFINITY, index: null }
  if (one.fate === 'never done') return { ...unanswered, outcome: 'unknown' }
  if (one.fate === 'failed') return { ...unanswered, endMs: one.endMs, outcome: 'failed' }
  const done = database.change(one, action)
  if (one.fate === 'lost') return { ...unanswered, outcome: 'unknown' }
  const outcome = done ? 'ok' : 'rejected'
  const { index } = database
  return { ...asked, requestId, action, endMs: one.endMs, outcome, index }
}

function read(
  one: Plan,
  by: { database: Database; dice: Dice; told: Map<string, { endMs: number; index: number }[]> }
): Operation {
  const { process, model, key, beginMs, endMs } = one
  const { database, dice, told } = by
  const consistency = dice.pick(['replica', 'session', 'strong'] as const) as Consistency
  const mine = told.get(process)?.at(-1)
  const minIndex = consistency === 'session' ? (mine?.index ?? 0) : null
  const oldest =
    consistency === 'strong'
      ? database.index
      : consistency === 'session'
        ? (minIndex ?? 0)
        : database.indexAt(beginMs - PROMISES.maxReadAgeMs)
  const index = dice.between(oldest, database.index)
  const value = database.read(one, index)
  const asked = { kind: 'read', process, model, key, beginMs, endMs } as const
  return { ...asked, outcome: 'ok', index, consistency, minIndex, value }
}

/** Every object as it was at every index. */
class Database {
  index = 0
  readonly #objects = new Map<string, { index: number; value: Value }[]>()
  readonly #timesMs: number[] = [Number.NEGATIVE_INFINITY]

  change({ model, key, doneMs }: Plan, action: Action): boolean {
    const versions = this.#versions(model, key)
    const after = apply(versions.at(-1)?.value ?? null, action)
    this.index += 1
    this.#timesMs.push(doneMs)
    if (after !== undefined) versions.push({ index: this.index, value: after })
    return after !== undefined
  }

  read({ model, key }: Plan, index: number): Value {
    return this.#versions(model, key).findLast(version => version.index <= index)?.value ?? null
  }

  indexAt(timeMs: number): number {
    return this.#timesMs.findLastIndex(doneMs => doneMs <= timeMs)
  }

  #versions(model: Model, key: string): { index: number; value: Value }[] {
    let versions = this.#objects.get(key)
    if (versions === undefined) {
      versions = [{ index: 0, value: EMPTY[model] }]
      this.#objects.set(key, versions)
    }
    return versions
  }
}

const EMPTY: Record<Model, Value> = {
  register: null,
  set: [],
  list: [],
  bank: Array.from({ length: ACCOUNTS }, () => PROMISES.bankTotal / ACCOUNTS),
  counter: 0
}

/** @returns undefined where the data forbids it */
function apply(value: Value, action: Action): Value | undefined {
  const elements = Array.isArray(value) ? value : []
  switch (action.do) {
    case 'write':
      return action.value
    case 'swap':
      return value === action.from ? action.to : undefined
    case 'insert':
      return [action.element, ...elements]
    case 'append':
      return [...elements, action.element]
    case 'add':
      return (typeof value === 'number' ? value : 0) + action.amount
    case 'transfer': {
      if ((elements[action.from] ?? 0) < action.amount) return undefined
      const balances = [...elements]
      balances[action.from] = (balances[action.from] ?? 0) - action.amount
      balances[action.to] = (balances[action.to] ?? 0) + action.amount
      return balances
    }
  }
}
