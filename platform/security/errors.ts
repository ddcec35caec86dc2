/** Refusals of a call for want of a token, or of a token that may do it. */
import { ServiceError } from '../../wire/errors.ts'
import type { Role } from './roles.ts'

export class UnauthorizedError extends ServiceError {
  readonly code = 'CONVOY_UNAUTHORIZED'
  readonly statusCode = 401

  constructor() {
    super('a bearer token is needed')
  }
}

/** Known, but with a lesser role. */
export class ForbiddenError extends ServiceError {
  readonly code = 'CONVOY_FORBIDDEN'
  readonly statusCode = 403

  constructor(needed: Role) {
    super(`this call needs a token with the role "${needed}"`)
  }
}
