/**
 * What a batch of writes works with, and the SQL of Convoy's own that it uses.
 */
import { TermRaisedError } from '../store.ts'
import type { Catalog } from './catalog.ts'
import type { CapturedChanges } from './changes.ts'
import { RELEASE, ROLLBACK_TO, SAVEPOINT, TAG } from './command.ts'
import type { Limits } from './limits.ts'
import type { LogEnd } from './log.ts'
import type { Refusal } from './refusals.ts'
import { positionsText, type SequencePositions } from './sequences.ts'
import type { Session } from './session.ts'
import { lostTo } from './sql-error.ts'
import type { Outcome, SqlError, Step } from './steps.ts'
import type { Verifier } from './verifier.ts'

export interface Master {
  readonly session: Session
  readonly secret: string
  readonly limits: Limits
  readonly log: LogEnd
  readonly sequences: SequencePositions
  readonly verifier: Verifier
  catalog: Catalog
  /** Whether the server answers on another connection. */
  isWell(): Promise<boolean>
  /** The fastest mode that is used, where that is not the fastest there is. */
  readonly leastMode?: Mode | undefined
}

export const BEGIN = 'begin'
export const COMMIT = 'commit'
export const OPEN = 'select convoy.open_batch($1, $2, $3)'
export const CHANGES = 'select index, op, tbl, rows from convoy.changes_since($1, $2)'
export const APPEND = 'select convoy.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
export const OUTCOMES =
  'select index, term, request_key, command_hash, status, result from convoy.outcomes($1, $2)'
export const EMPTY_CHANGES = 'select convoy.empty_changes($1)'

/** Prepared once per connection, for each batch needs them all. */
export const MASTER_TEXTS = [
  ...[BEGIN, COMMIT, OPEN, CHANGES, APPEND, OUTCOMES],
  ...[SAVEPOINT, ROLLBACK_TO, RELEASE, TAG]
]

const TERM_RAISED = 'CV100'

/** Where a batch begins. */
export interface BatchStart {
  readonly term: number
  /** Index of its first entry. */
  readonly first: number
}

export function openingSteps({ session, secret }: Master, { term, first }: BatchStart): Step[] {
  const { statements } = session
  return [statements.step(BEGIN), statements.step(OPEN, [secret, String(term), String(first)])]
}

/** @throws TermRaisedError when a later term is stored */
export function checkOpened({ error }: Outcome): void {
  if (error === undefined) return
  if (error.sqlstate === TERM_RAISED) throw new TermRaisedError(error.message)
  throw lostTo(error)
}

/** Reads what the commands changed, and where the sequences are. */
export function readingSteps(master: Master, first: number, captured: CapturedChanges): Step[] {
  const { session, secret, catalog, sequences } = master
  const { statements } = session
  sequences.restart()
  const steps = [statements.step(CHANGES, [secret, String(first)], captured)]
  const positions = positionsText(catalog.sequences)
  if (positions !== undefined) {
    statements.ran(positions)
    steps.push(statements.step(positions, [], sequences))
  }
  return steps
}

/** How the commands of a batch are sent; each is slower than the one before, and tells more. */
export type Mode = 'straight' | 'savepoints' | 'stepwise'

/** Everything is to be undone and run again, with what this attempt has settled. */
export class RetryError extends Error {
  /** Outcomes that are known now, by the commands' places in the batch. */
  readonly settled: ReadonlyMap<number, Refusal>
  readonly mode: Mode

  constructor(mode: Mode, settled: ReadonlyMap<number, Refusal> = new Map()) {
    super('the batch is to be run again')
    this.mode = mode
    this.settled = settled
  }
}

/**
 * A statement of Convoy's own failed in a transaction that ran commands. They may have brought it
 * about, so it is no proof of a broken server; but it is no outcome of one of them either.
 */
export class OwnStepError extends Error {
  readonly error: SqlError

  constructor(error: SqlError) {
    super(`${error.sqlstate} ${error.message}`)
    this.error = error
  }
}
