/** Failures that a caller of rides-api can cause or must react to. */
import { ServiceError } from '../wire/errors.ts'

export class InvalidAreaError extends ServiceError {
  readonly code = 'CONVOY_AREA_INVALID'
  readonly statusCode = 400

  constructor() {
    super('an area is a whole number from 1 to 198')
  }
}

export class SameAreaError extends ServiceError {
  readonly code = 'CONVOY_SAME_AREA'
  readonly statusCode = 400

  constructor() {
    super('a ride leads from one area to another')
  }
}

export class InvalidTimestampError extends ServiceError {
  readonly code = 'CONVOY_TIMESTAMP_INVALID'
  readonly statusCode = 400

  constructor() {
    super('a timestamp is a real date and time, written DD-MM-YYYY:SS-MM-HH')
  }
}

export class UnknownRideError extends ServiceError {
  readonly code = 'CONVOY_RIDE_UNKNOWN'
  readonly statusCode = 400

  constructor() {
    super('there is no such ride')
  }
}

export class OwnRideError extends ServiceError {
  readonly code = 'CONVOY_OWN_RIDE'
  readonly statusCode = 400

  constructor() {
    super('the creator of a ride cannot join it')
  }
}

export class JoinedAlreadyError extends ServiceError {
  readonly code = 'CONVOY_JOINED_ALREADY'
  readonly statusCode = 400

  constructor() {
    super('this user has joined the ride already')
  }
}

/** users-api did not say whether a user exists. Nothing was done. */
export class UsersUnavailableError extends ServiceError {
  readonly code = 'CONVOY_USERS_UNAVAILABLE'
  readonly statusCode = 503
  override readonly retryAfterS = 1

  constructor(options?: ErrorOptions) {
    super('whether the user exists could not be found out in time', options)
  }
}
