/**
 * What clients asked of a cluster and what they were told: the evidence that the
 * checkers beside this file judge. Times come from one monotonic clock, virtual or
 * real; a checker knows nothing else of the system.
 *
 * As in Jepsen, what was answered happened at some moment between its begin and its
 * end, what is unknown may happen at any later moment or never, and what failed for
 * certain never happens.
 */

export type Outcome =
  /** Told that it is done. */
  | 'ok'
  /** Told that the data forbade it (a swap that found another value): final, and an observation. */
  | 'rejected'
  /** Told that it has not been done and never will be. */
  | 'failed'
  /** Not told: open to the end of the history. */
  | 'unknown'

export type Consistency = 'replica' | 'session' | 'strong'

/** What an object is; each has its own actions, its own reads and its own laws. */
export type Model = 'register' | 'set' | 'list' | 'bank' | 'counter'

interface Asked {
  /** The client. It asks one thing at a time, and what it is told is its session. */
  readonly process: string
  readonly model: Model
  /** Which register, which list, ...: objects of one model are told apart by their keys. */
  readonly key: string
  readonly beginMs: number
  /** Infinity where the outcome is unknown. */
  readonly endMs: number
  readonly outcome: Outcome
  /** The index answered; null where there was none. */
  readonly index: number | null
}

export type Action =
  /** register */
  | { readonly do: 'write'; readonly value: number }
  | { readonly do: 'swap'; readonly from: number | null; readonly to: number }
  /** set; no element is inserted by two requests */
  | { readonly do: 'insert'; readonly element: number }
  /** list; no element is appended by two requests */
  | { readonly do: 'append'; readonly element: number }
  /** bank: accounts are positions in what a read shows; rejected when `from` has too little */
  | {
      readonly do: 'transfer'
      readonly from: number
      readonly to: number
      readonly amount: number
    }
  /** counter: above 0 */
  | { readonly do: 'add'; readonly amount: number }

export interface Change extends Asked {
  readonly kind: 'change'
  /** One command keeps its id however often it is sent: operations of one id are its copies. */
  readonly requestId: string
  readonly action: Action
}

export interface Read extends Asked {
  readonly kind: 'read'
  readonly consistency: Consistency
  /** The index asked for with `session`. */
  readonly minIndex: number | null
  /**
   * Register: its value, null before the first write. Counter: its value. Set: its elements in any
   * order. List: its elements in order. Bank: the balance of each account. Means nothing unless `ok`.
   */
  readonly value: Value
}

export type Value = number | null | readonly number[]

export type Operation = Change | Read

/** In any order. */
export type History = readonly Operation[]

/** A law that a history breaks, and the operations that show it. */
export interface Problem {
  readonly law: string
  readonly because: string
  readonly operations: readonly Operation[]
}

/** What the system under test promises in figures. */
export interface Promises {
  /** A `replica` read shows all that was acknowledged so long before it was asked. */
  readonly maxReadAgeMs: number
  /** What all accounts of a bank hold together. */
  readonly bankTotal: number
}

/** @returns the first problem found, or null */
export type Check = (history: History, promises: Promises) => Problem | null

/** A read shows all that anybody was told before this moment; -Infinity: it promises nothing. */
export function horizonMs(read: Read, promises: Promises): number {
  if (read.consistency === 'strong') return read.beginMs
  if (read.consistency === 'replica') return read.beginMs - promises.maxReadAgeMs
  return Number.NEGATIVE_INFINITY // `session` promises an index, not a moment
}
