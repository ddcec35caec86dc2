/**
 * One command within a batch: what is sent for it, and its outcome.
 */
import { RECORD_TABLE } from '../../wire/record-names.ts'
import type { Statement, WriteCommand } from '../../wire/requests.ts'
import { type Mark, markOf } from '../../wire/verify.ts'
import { type Catalog, publicName } from './catalog.ts'
import { positionItemsText } from './comparison.ts'
import { conversionsIn } from './conversions.ts'
import { type Bounds, JsonRows } from './encode.ts'
import { expectationFailed, notAllowed, type Refusal, refusalOf, tooLarge } from './refusals.ts'
import type { Session } from './session.ts'
import { isContended, isStale, verdictOf } from './sql-error.ts'
import type { Outcome, SqlError, Step } from './steps.ts'
import { paramText } from './text.ts'

export const SAVEPOINT = 'savepoint s'
export const ROLLBACK_TO = 'rollback to savepoint s'
export const TAG = 'select convoy.tag($1, $2)'
export const RELEASE = 'release savepoint s'

const EXAMINE = 'select convoy.examine_conversion($1, $2)'
/** Batch still open, at a COMMIT that a command smuggled in. */
const BATCH_OPEN = 'CV101'
/** Of a savepoint, or what has to do with one, where a command has ended the transaction. */
const NO_TRANSACTION = '25P01'
const ALLOWED_TAG =
  /^((INSERT|UPDATE|DELETE|MERGE|SELECT|TRUNCATE)\b.*|(CREATE|ALTER|DROP) (TABLE|INDEX|VIEW|TYPE|DOMAIN|SEQUENCE))$/

/** As if there were no table. */
const NOTHING_TO_CLEAR = 'TRUNCATE TABLE'

export type CommandOutcome =
  | { readonly kind: 'done'; readonly result: string }
  /** One of its statements failed. With an error that leaves it in doubt whether the server is well. */
  | {
      readonly kind: 'failed'
      readonly refusal: Refusal
      readonly statement: number
      readonly doubt?: SqlError
    }
  /** It is not to stay, whether it went well or not: unmet expectations, too large a result. */
  | { readonly kind: 'wrong'; readonly refusal: Refusal }
  /** It may have ended the transaction: all is to be run again without it. */
  | { readonly kind: 'smuggled'; readonly refusal: Refusal }
  /** No fault of its own (a prepared statement out of date, a deadlock): all is to be run again. */
  | { readonly kind: 'again'; readonly refusal: Refusal }

export interface CommandContext {
  readonly session: Session
  readonly secret: string
  readonly catalog: Catalog
  readonly bounds: Bounds
}

export const isExpecting = (command: WriteCommand): boolean =>
  command.statements.some(statement => statement.expectRows !== undefined)

/** Schema changes and the like run in a transaction of their own. */
export const runsAlone = (command: WriteCommand): boolean =>
  command.statements.some(({ kind }) => kind !== 'dml' && kind !== 'read')

export const changesSchema = (command: WriteCommand): boolean =>
  command.statements.some(({ kind }) => kind === 'ddl')

/** Of a command that is a part of a verification. */
export const markIn = ({ statements }: WriteCommand): Mark | undefined => {
  const asked = statements.find(({ kind }) => kind === 'verify')
  return asked && markOf(asked.sql)
}

/** Whether it locks tables, so that it would wait for whoever reads them. */
export const locksTables = (command: WriteCommand): boolean =>
  command.statements.some(({ kind }) => kind === 'ddl' || kind === 'truncate' || kind === 'clear')

/** A command as it is sent: its own steps, and what its outcome is made of. */
export interface Sending {
  readonly command: WriteCommand
  readonly steps: readonly Step[]
  readonly parts: readonly Part[]
  /** Size of its results so far. */
  readonly collected: { readonly bytes: number }
}

export function sendingOf(command: WriteCommand, context: CommandContext): Sending {
  const collected = { bytes: 0 }
  const bounds = { ...context.bounds, collected }
  const parts = command.statements.map(statement => partOf(statement, { ...context, bounds }))
  return { command, parts, collected, steps: parts.flatMap(part => part.steps) }
}

/** What follows becomes the entry `index`. */
export const tagStep = (index: number, { session, secret }: CommandContext): Step =>
  session.statements.step(TAG, [secret, String(index)])

/** Whether it has returned more than an entry may hold. */
export const isOverflown = ({ parts }: Sending): boolean => parts.some(({ rows }) => rows.overflown)

interface Part {
  readonly steps: readonly Step[]
  readonly rows: JsonRows
}

function partOf(statement: Statement, { session, catalog, bounds }: CommandContext): Part {
  const rows = new JsonRows(bounds)
  if (statement.kind === 'clear') {
    const sql = clearText(catalog)
    return { rows, steps: sql === undefined ? [] : [{ sql }] }
  }
  if (statement.kind === 'verify') {
    // Whoever else is told where sequences are reads them behind this entry (apply.ts).
    const isAsked = markOf(statement.sql)?.part.kind === 'schema'
    return {
      rows,
      steps: [{ sql: positionItemsText(isAsked ? catalog.sequences : []), sink: rows }]
    }
  }
  const values = statement.params.map(paramText)
  return {
    rows,
    steps: [
      ...examining(statement),
      { ...session.statements.step(statement.sql, values, rows), isUsers: true }
    ]
  }
}

/** What a schema change converts columns by is in no catalog: it is looked at before it runs. */
function examining({ kind, sql }: Statement): Step[] {
  const conversions = kind === 'ddl' ? conversionsIn(sql) : []
  if (conversions.length === 0) return []
  const parts = conversions.map(({ expression, type, table }) => [expression, type, table])
  return [{ sql: EXAMINE, values: [sql, paramText(parts)] }]
}

/** The record of the services' migrations keeps what it knows. */
function clearText({ tables }: Catalog): string | undefined {
  const names = [...tables.keys()].filter(name => name !== RECORD_TABLE).map(publicName)
  return names.length === 0 ? undefined : `truncate ${names.join(', ')} restart identity cascade`
}

/**
 * @param outcome of the exchange, its tags from the first of the command's on; an error behind
 * the last of them is that of the savepoint
 */
export function outcomeOf({ command, parts }: Sending, outcome: Outcome): CommandOutcome {
  const ends = endsOf(parts, outcome.tags)
  const control = smuggledBy(ends, outcome)
  if (control !== undefined) return control
  const results: string[] = []
  for (const [i, { expectRows: expected }] of command.statements.entries()) {
    const { steps, rows } = parts[i] as Part
    const tag = ends[i]
    if (rows.overflown) {
      const refusal = tooLarge('the command returns more than an entry may hold')
      return { kind: 'wrong', refusal }
    }
    if (tag === undefined) return failureOf(outcome, { statement: i, steps })
    const rowCount = Number(/\d+$/.exec(tag)?.[0] ?? 0)
    if (expected !== undefined && rowCount !== expected) {
      const did = tag.startsWith('SELECT') ? 'returned' : 'changed'
      const refusal = expectationFailed({ statement: i, expected, rowCount }, did)
      return { kind: 'wrong', refusal }
    }
    results.push(`{"rowCount":${rowCount},"rows":${rows.json}}`)
  }
  if (outcome.error !== undefined) {
    return failureOf(outcome, { statement: command.statements.length - 1, steps: [] })
  }
  return { kind: 'done', result: `[${results.join(',')}]` }
}

/** The tag of each statement that ended well. */
function endsOf(parts: readonly Part[], tags: readonly string[]): string[] {
  const ends: string[] = []
  let to = 0
  for (const { steps } of parts) {
    to += steps.length
    if (to > tags.length) break
    ends.push(steps.length === 0 ? NOTHING_TO_CLEAR : (tags[to - 1] ?? ''))
  }
  return ends
}

/** Found first of all: what came to pass in the transaction that it ended says nothing. */
function smuggledBy(ends: readonly string[], { error }: Outcome): CommandOutcome | undefined {
  const at = ends.findIndex(tag => !ALLOWED_TAG.test(tag))
  const hasEnded = error?.sqlstate === BATCH_OPEN || error?.sqlstate === NO_TRANSACTION
  if (at === -1 && !hasEnded) return undefined
  const statement = at === -1 ? ends.length : at
  return { kind: 'smuggled', refusal: notAllowed(ends[at] ?? 'transaction control', statement) }
}

function failureOf(
  { error }: Outcome,
  { statement, steps }: { statement: number; steps: readonly Step[] }
): CommandOutcome {
  if (error === undefined) throw new Error('a statement neither ended nor failed')
  const refusal = refusalOf(error, statement)
  if (isContended(error) || steps.some(step => isStale(step, error))) {
    return { kind: 'again', refusal }
  }
  if (verdictOf(error) === 'doubtful') return { kind: 'failed', refusal, statement, doubt: error }
  return { kind: 'failed', refusal, statement }
}
