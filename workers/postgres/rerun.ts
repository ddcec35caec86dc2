/**
 * A batch of writes that survives a restart of PostgreSQL: what of it was committed before,
 * what is to be executed again, and which of it must not be.
 *
 * A transaction that was under way is gone unless its commit had been sent; then the log
 * tells. Entries that came to be in the log belong to this batch, for nobody else writes.
 */
import type { WriteCommand } from '../../wire/requests.ts'
import type { Entry } from '../entry.ts'
import type { Executed } from '../store.ts'
import { isQuery } from './guard.ts'
import { harmful, type Refusal } from './refusals.ts'

/** How the process that executed came to its end. */
export type Blame =
  /** Its PostgreSQL restarted for another reason. */
  | { readonly kind: 'none' }
  /** It crashed. Perhaps a statement made it. */
  | { readonly kind: 'crashed' }
  /** It was killed for this statement, which did not end in its time. */
  | { readonly kind: 'killed'; readonly query: string }

/** What an executor is to do otherwise than usual, by request id. */
export interface Precautions {
  /** Not to be executed: their outcome is known. */
  readonly settled: ReadonlyMap<string, Refusal>
  /** Each in a transaction of its own. */
  readonly alone: ReadonlySet<string>
  /** An earlier copy of any of them may be committed. */
  readonly mayRepeat: boolean
}

export const NO_PRECAUTIONS: Precautions = {
  settled: new Map(),
  alone: new Set(),
  mayRepeat: false
}

export const ENDLESS = harmful(
  'a statement of this request did not end when its time was up, and could not be interrupted; it is not executed again'
)

export class Rerun implements Precautions {
  readonly settled = new Map<string, Refusal>()
  readonly alone = new Set<string>()
  readonly #batch: readonly WriteCommand[]
  /** By place in the batch. */
  readonly #outcomes = new Map<number, Executed>()
  #isAgain = false

  constructor(batch: readonly WriteCommand[]) {
    this.#batch = batch
  }

  get mayRepeat(): boolean {
    return this.#isAgain
  }

  /** What is to be executed (again). */
  get rest(): readonly WriteCommand[] {
    if (!this.#isAgain) return this.#batch
    // Not copies: whoever asked tells commands apart as objects.
    return this.#batch.filter((_, at) => !this.#outcomes.has(at))
  }

  /** All outcomes in the batch's order. @param executed those of `rest` */
  all<T>(executed: readonly T[]): (T | Executed)[] {
    if (!this.#isAgain) return [...executed]
    const left = [...executed]
    return this.#batch.map((_, at): T | Executed => {
      const outcome = this.#outcomes.get(at) ?? left.shift()
      if (outcome === undefined) throw new Error('a command has no outcome')
      return outcome
    })
  }

  /**
   * Takes in what a restart left.
   * @param left.entries that are in the log since the batch began
   * @param left.running commands of the transaction that was under way
   */
  restarted(left: {
    readonly entries: readonly Entry[]
    readonly running: readonly WriteCommand[]
    readonly blame: Blame
  }): void {
    this.#isAgain = true
    const entries = new Map(left.entries.map(entry => [entry.requestId, entry]))
    for (const [at, { requestId }] of this.#batch.entries()) {
      const entry = entries.get(requestId)
      // The first copy is the one that was executed.
      entries.delete(requestId)
      if (entry !== undefined) this.#outcomes.set(at, { kind: 'entry', entry })
    }
    const isDone = new Set(left.entries.map(({ requestId }) => requestId))
    const running = left.running.filter(({ requestId }) => !isDone.has(requestId))
    if (left.blame.kind === 'crashed') this.#crashed(running)
    if (left.blame.kind === 'killed') this.#killed(running, left.blame.query)
  }

  /** The first time it may have been chance, or another command: each gets one more, alone. */
  #crashed(running: readonly WriteCommand[]): void {
    const [only, ...others] = running
    if (only !== undefined && others.length === 0 && this.alone.has(only.requestId)) {
      this.settled.set(only.requestId, harmful())
    }
    for (const { requestId } of running) this.alone.add(requestId)
  }

  #killed(running: readonly WriteCommand[], query: string): void {
    const matching = running.filter(({ statements }) => {
      return statements.some(({ sql }) => isQuery(sql, query))
    })
    const suspects = matching.length > 0 ? matching : running
    const [only, ...others] = suspects
    if (only !== undefined && others.length === 0) this.settled.set(only.requestId, ENDLESS)
    else for (const { requestId } of suspects) this.alone.add(requestId)
  }
}
