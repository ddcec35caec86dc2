/**
 * Failures that a caller can cause or must react to: a stable code, a status and
 * a message that is safe to show. Programmer errors are not here: they are failed
 * assertions, which nobody catches. Every code is described in docs/errors.md, and
 * a test compares the two.
 */
export abstract class ServiceError extends Error {
  /** Callers branch on the code. The message may be reworded, the code may not. */
  abstract readonly code: string
  abstract readonly statusCode: number
  override readonly name = this.constructor.name
  /** Further fields of the reply's body, such as SQLSTATE and position. */
  readonly details: Readonly<Record<string, unknown>> = {}
  /** Seconds after which another attempt is worth while; sent as Retry-After. */
  readonly retryAfterS: number | undefined = undefined
}

/** The request itself is wrong; sending it again will not help. */
export class InvalidRequestError extends ServiceError {
  readonly code = 'CONVOY_INVALID_REQUEST'
  readonly statusCode = 400
}

export class BodyTooLargeError extends ServiceError {
  readonly code = 'CONVOY_BODY_TOO_LARGE'
  readonly statusCode = 413
}

/** The body is of a type, a character set or a coding that is not taken. */
export class UnsupportedMediaTypeError extends ServiceError {
  readonly code = 'CONVOY_UNSUPPORTED_MEDIA_TYPE'
  readonly statusCode = 415
}

export class NotFoundError extends ServiceError {
  readonly code = 'CONVOY_NOT_FOUND'
  readonly statusCode = 404

  constructor(message = 'no such path') {
    super(message)
  }
}

/** The path is known, under other methods. */
export class MethodNotAllowedError extends ServiceError {
  readonly code = 'CONVOY_METHOD_NOT_ALLOWED'
  readonly statusCode = 405
  /** For the reply's `Allow` header. */
  readonly allow: string

  constructor(method: string, allowed: ReadonlySet<string>) {
    super(`this path has no ${method}`)
    this.allow = [...allowed].sort().join(', ')
  }
}

/** A bounded queue is full, or what is needed is not there yet. Nothing was done. */
export class OverloadedError extends ServiceError {
  readonly code = 'CONVOY_OVERLOADED'
  readonly statusCode = 503
  override readonly retryAfterS = 1
}
