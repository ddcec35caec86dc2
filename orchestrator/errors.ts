/**
 * Failures that the orchestrator itself decides. Those that a worker decides
 * arrive as whole bodies and are passed on unread.
 */
import { ServiceError } from '../wire/errors.ts'

type Details = Readonly<Record<string, unknown>>

/** A refusal of one statement, which can say which of a list it was. */
export abstract class StatementError extends ServiceError {
  override details: Details = {}

  /** @param statement position in the list, counted from 0 */
  inStatement(statement: number): this {
    this.details = { ...this.details, statement }
    return this
  }
}

/** The statement is valid SQL, perhaps, but not of a kind that a cluster runs. */
export class SqlNotAllowedError extends StatementError {
  readonly code = 'CONVOY_SQL_NOT_ALLOWED'
  readonly statusCode = 400
}

/** All SQL text of a request together. */
export class SqlTooLargeError extends ServiceError {
  readonly code = 'CONVOY_SQL_TOO_LARGE'
  readonly statusCode = 413

  constructor(charsMax: number) {
    super(`a request has at most ${charsMax} characters of SQL; send values as parameters`)
  }
}

/** What PostgreSQL's own parser says, in the same shape as an error of the database. */
export class SqlSyntaxError extends StatementError {
  readonly code = 'CONVOY_SQL'
  readonly statusCode = 400

  /** @param position of the offending character, counted from 1 */
  constructor(message: string, position: number) {
    super(message)
    this.details = { sqlstate: '42601', position }
  }
}

/** A value that would not arrive as it was sent. */
export class ParamError extends StatementError {
  readonly code = 'CONVOY_INVALID_REQUEST'
  readonly statusCode = 400

  /** @param at position in the list, counted from 0 */
  constructor(at: number, what: string) {
    super(`parameter $${at + 1} ${what}`)
    this.details = { parameter: at + 1 }
  }
}

/** As PostgreSQL would say it when a statement is bound. */
export class ParamCountError extends StatementError {
  readonly code = 'CONVOY_SQL'
  readonly statusCode = 400

  constructor(counts: { given: number; wanted: number }) {
    super(`the statement has ${counts.wanted} parameters, but ${counts.given} were given`)
    this.details = { sqlstate: '08P01' }
  }
}

/** The id belongs to another command. Decided here only while that one is in this process's memory. */
export class RequestIdReusedError extends ServiceError {
  readonly code = 'CONVOY_REQUEST_ID_REUSED'
  readonly statusCode = 422

  constructor() {
    super('this request id was used for another command')
  }
}

/** The write may or may not have been done; sent again with the same id it settles. */
export class UnknownOutcomeError extends ServiceError {
  readonly code = 'CONVOY_UNKNOWN_OUTCOME'
  readonly statusCode = 504
  override readonly details: Details

  constructor(requestId: string) {
    super('no answer before the deadline; send the write again with this request id to settle it')
    this.details = { requestId }
  }
}

export class TimeoutError extends ServiceError {
  readonly code = 'CONVOY_TIMEOUT'
  readonly statusCode = 504
}

/** Its execution ended two workers. Final: no worker executes it again. */
export class RequestHarmfulError extends ServiceError {
  readonly code = 'CONVOY_REQUEST_HARMFUL'
  readonly statusCode = 422

  constructor() {
    super('this request brought down two workers; it is not executed again')
  }
}

export class NoSuchWorkerError extends ServiceError {
  readonly code = 'CONVOY_NO_SUCH_WORKER'
  readonly statusCode = 409
}

/** One that trusts another worker, or none, goes on. */
export class VerifyRunningError extends ServiceError {
  readonly code = 'CONVOY_VERIFY_RUNNING'
  readonly statusCode = 409

  constructor() {
    super('another verification runs on this orchestrator; ask again when it has ended')
  }
}

/** No replica is level with the master. */
export class NoSuccessorError extends ServiceError {
  readonly code = 'CONVOY_NO_SUCCESSOR'
  readonly statusCode = 409
}

/** No process of this id, or pid, runs. */
export class NoSuchInstanceError extends ServiceError {
  readonly code = 'CONVOY_NO_SUCH_INSTANCE'
  readonly statusCode = 404

  constructor(instance: string) {
    super(`no running instance has the id or pid "${instance}"`)
  }
}

/** Nobody would serve; an operator who means it says `force`. */
export class LastInstanceError extends ServiceError {
  readonly code = 'CONVOY_LAST_INSTANCE'
  readonly statusCode = 409

  constructor(service: string) {
    super(`no other instance of ${service} would be left to serve; \`force\` freezes it anyway`)
  }
}

export class UnknownOperationError extends ServiceError {
  readonly code = 'CONVOY_OPERATION_UNKNOWN'
  readonly statusCode = 400

  constructor(operation: string) {
    super(`no running instance offers "${operation}"; GET /api/v1/controls/operations lists all`)
  }
}

/** Workers are processes here, or the engine is known by another name. */
export class HostRefusedError extends ServiceError {
  readonly code = 'CONVOY_HOST_REFUSED'
  readonly statusCode = 409
}

/** The change may or may not be stored; it says where things stand, so it may be sent again. */
export class SettingsNotStoredError extends ServiceError {
  readonly code = 'CONVOY_SETTINGS_NOT_STORED'
  readonly statusCode = 503
  override readonly retryAfterS = 1

  constructor(options: ErrorOptions) {
    super('ZooKeeper does not answer; send the settings again', options)
  }
}
