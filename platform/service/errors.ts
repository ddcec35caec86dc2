/** Failures that users-api and rides-api have in common. */
import { ServiceError } from '../../wire/errors.ts'

/** The service has started, but what it needs is not there yet. Nothing was done. */
export class NotReadyError extends ServiceError {
  readonly code = 'CONVOY_NOT_READY'
  readonly statusCode = 503
  override readonly retryAfterS = 1

  constructor(missing: readonly string[]) {
    super(`not ready, missing: ${missing.join(', ')}`)
  }
}

export class ClearForbiddenError extends ServiceError {
  readonly code = 'CONVOY_CLEAR_FORBIDDEN'
  readonly statusCode = 403

  constructor() {
    super('db/clear is switched off here (CONVOY_ALLOW_CLEAR)')
  }
}

/** Not 1 to 1,000 characters, or characters that no text can hold. */
export class InvalidUsernameError extends ServiceError {
  readonly code = 'CONVOY_USERNAME_INVALID'
  readonly statusCode = 400

  constructor(reason: string) {
    super(reason)
  }
}

export class UnknownUserError extends ServiceError {
  readonly code = 'CONVOY_USER_UNKNOWN'
  readonly statusCode = 400

  constructor() {
    super('there is no such user')
  }
}
