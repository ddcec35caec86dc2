/**
 * What the orchestrator can answer beside success, as errors that a caller can act
 * on by class. Those that reach a client of the service unhandled keep their status
 * when the client can do something about it; what only a bug causes (bad SQL) is no
 * ServiceError and becomes a 500.
 */

import { ServiceError } from '../wire/errors.ts'
import { OperationDisabledError } from '../wire/operation-errors.ts'

/** The error body of `db/*`, as far as the client reads it. */
export interface DatabaseErrorBody {
  readonly code: string
  readonly message: string
  readonly sqlstate?: string
  readonly constraint?: string
  /** Position of the statement in its command. */
  readonly statement?: number
}

/** A decision of the database that is final for its request id: bad SQL, an entry too large, ... */
export class DatabaseError extends Error {
  override readonly name: string = 'DatabaseError'
  readonly status: number
  readonly code: string
  readonly sqlstate: string | undefined

  constructor(status: number, body: DatabaseErrorBody) {
    super(body.message)
    this.status = status
    this.code = body.code
    this.sqlstate = body.sqlstate
  }
}

export class ConstraintError extends DatabaseError {
  override readonly name = 'ConstraintError'
  readonly constraint: string | undefined

  constructor(status: number, body: DatabaseErrorBody) {
    super(status, body)
    this.constraint = body.constraint
  }
}

export class ExpectationError extends DatabaseError {
  override readonly name = 'ExpectationError'
  readonly statement: number | undefined

  constructor(status: number, body: DatabaseErrorBody) {
    super(status, body)
    this.statement = body.statement
  }
}

/** The caller's Idempotency-Key was used before, for something else. */
export class RequestIdReusedError extends ServiceError {
  readonly code = 'CONVOY_REQUEST_ID_REUSED'
  readonly statusCode = 422
}

/** Nothing was done, or only read: no orchestrator took the request before its deadline. */
export class DatabaseUnavailableError extends ServiceError {
  readonly code = 'CONVOY_DATABASE_UNAVAILABLE'
  readonly statusCode = 503
  override readonly retryAfterS = 1
}

/** A write may or may not have happened; sending it again with its request id settles it. */
export class UnknownOutcomeError extends ServiceError {
  readonly code = 'CONVOY_UNKNOWN_OUTCOME'
  readonly statusCode = 504
  override readonly details: Readonly<Record<string, unknown>>

  constructor(requestId: string, options?: ErrorOptions) {
    super('the deadline passed before the outcome of a write was known', options)
    this.details = { requestId }
  }
}

/** An operator has switched it off everywhere: no use in asking others. */
export const isDisabled = ({ status, text }: { readonly status: number; readonly text: string }) =>
  status === 503 && text.includes('"CONVOY_OPERATION_DISABLED"')

/** The error that a final answer of the orchestrator stands for. */
export function errorOf(status: number, body: DatabaseErrorBody): Error {
  if (body.code === 'CONVOY_CONSTRAINT') return new ConstraintError(status, body)
  if (body.code === 'CONVOY_EXPECTATION_FAILED') return new ExpectationError(status, body)
  if (body.code === 'CONVOY_REQUEST_ID_REUSED') {
    return new RequestIdReusedError('this Idempotency-Key was used for another request')
  }
  if (body.code === 'CONVOY_OPERATION_DISABLED') return new OperationDisabledError()
  return new DatabaseError(status, body)
}
