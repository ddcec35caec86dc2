/**
 * What becomes of an error that PostgreSQL reports: a statement's own error is the caller's,
 * with a status and a body; one that says that the database itself has failed is told to nobody.
 */
import { lostTo, TOO_LARGE, verdictOf } from './sql-error.ts'
import type { SqlError } from './steps.ts'

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
 * @param statement 0-based position of the statement in its command; none for a read
 * @throws StoreLostError or DiskFullError when the error proves that the server is broken
 */
export function refusalOf(error: SqlError, statement?: number): Refusal {
  if (verdictOf(error) === 'server') throw lostTo(error)
  const { sqlstate, message, position, constraint, hint } = error
  if (sqlstate === TOO_LARGE) return tooLarge(message)
  if (sqlstate.startsWith('23')) {
    return refusal(409, 'CONVOY_CONSTRAINT', { message, sqlstate, constraint, statement })
  }
  return refusal(400, 'CONVOY_SQL', { message, sqlstate, position, hint, statement })
}

export const tooLarge = (message: string): Refusal =>
  refusal(413, 'CONVOY_ENTRY_TOO_LARGE', { message })

export const outOfTime = (message: string, statement?: number): Refusal =>
  refusal(400, 'CONVOY_SQL', { message, sqlstate: '57014', statement })

/** Convoy could not log what the command did, and could log everything else. */
export function notLogged({ message, sqlstate }: SqlError): Refusal {
  if (sqlstate === TOO_LARGE) return tooLarge(message)
  const why = `what the write did cannot be logged: ${message}`
  return refusal(400, 'CONVOY_SQL', { message: why, sqlstate })
}

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
export const harmful = (
  message = 'this request brought down two workers; it is not executed again'
): Refusal => refusal(422, 'CONVOY_REQUEST_HARMFUL', { message })
