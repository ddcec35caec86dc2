/** Failures that a caller of users-api can cause or must react to. */
import { ServiceError } from '../wire/errors.ts'

export class UserExistsError extends ServiceError {
  readonly code = 'CONVOY_USER_EXISTS'
  readonly statusCode = 400

  constructor() {
    super('this username is taken')
  }
}

export class InvalidPasswordError extends ServiceError {
  readonly code = 'CONVOY_PASSWORD_INVALID'
  readonly statusCode = 400

  constructor() {
    super('a password is the 40 hex digits of a SHA-1')
  }
}
