/**
 * What becomes of an error that PostgreSQL reports: a command's own error is its
 * outcome and gets a status and a body; anything else says that the database
 * itself has failed, and is told to nobody.
 */
import { lostTo, type SqlError } from './sql-error.ts'

/** The outcome of a command or read that failed: status and JSON text of the error body. */
export interface Refusal {
  readonly status: number
  readonly body: string
}

export function refusal(
  status: number,
  code: string,
  details: { message: string } & Record<string, unknown>
): Refusal {
  const { message, ...rest } = details
  return { status, body: JSON.stringify({ code, message, ...rest }) }
}

/**
 * Classes that tell of the server, not of the statement: connections (08), resources
 * (53), an operator (57), the system (58, F0, XX) and a transaction that was in the way (40).
 */
const SERVER_CLASSES = new Set(['08', '53', '57', '58', '40', 'F0', 'XX'])
/** Statement timeout, temp_file_limit, stack depth, a COPY that nobody feeds: by the statement alone. */
const STATEMENT_STATES = new Set(['57014', '53400', '08P01', '53200'])
const TOO_LARGE = 'CV004'

export const isOfTheServer = (error: SqlError): boolean =>
  error.severity !== 'ERROR' ||
  (SERVER_CLASSES.has(error.sqlstate.slice(0, 2)) && !STATEMENT_STATES.has(error.sqlstate))

/**
 * @param statement 0-based position of the statement in its command; none for a read
 * @throws StoreLostError when the error is no fault of the statement
 */
export function refusalOf(error: SqlError, statement?: number): Refusal {
  if (isOfTheServer(error)) throw lostTo(error)
  const { sqlstate, message, position, constraint, hint } = error
  if (sqlstate === TOO_LARGE) return tooLarge(message)
  if (sqlstate.startsWith('23')) {
    return refusal(409, 'CONVOY_CONSTRAINT', { message, sqlstate, constraint, statement })
  }
  return refusal(400, 'CONVOY_SQL', { message, sqlstate, position, hint, statement })
}

export const tooLarge = (message: string): Refusal =>
  refusal(413, 'CONVOY_ENTRY_TOO_LARGE', { message })

export const expectationFailed = (
  details: { statement: number; expected: number; rowCount: number },
  did: 'changed' | 'returned'
): Refusal =>
  refusal(409, 'CONVOY_EXPECTATION_FAILED', {
    message: `statement ${details.statement} ${did} ${details.rowCount} rows, not ${details.expected}`,
    ...details
  })

/** What admission should have refused already: the second wall. */
export const notAllowed = (tag: string, statement?: number): Refusal =>
  refusal(400, 'CONVOY_SQL', {
    message: `${tag} is not allowed here`,
    sqlstate: '42501',
    statement
  })

export const requestIdReused = (): Refusal =>
  refusal(422, 'CONVOY_REQUEST_ID_REUSED', {
    message: 'this request id was used for another command'
  })

/** Final: executing the request has ended two workers, or two of their PostgreSQL servers. */
export const harmful = (): Refusal =>
  refusal(422, 'CONVOY_REQUEST_HARMFUL', {
    message: 'this request brought down two workers; it is not executed again'
  })
