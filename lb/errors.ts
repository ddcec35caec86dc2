/** What lb answers itself, when no instance did. */
import { ServiceError } from '../wire/errors.ts'

/** This client sends more than it may. Nothing was done. */
export class RateLimitedError extends ServiceError {
  readonly code = 'CONVOY_RATE_LIMITED'
  readonly statusCode = 429
  override readonly retryAfterS: number

  constructor(waitMs: number) {
    super('too many requests from this address')
    this.retryAfterS = Math.ceil(waitMs / 1_000)
  }
}

/** The connection to the instance ended before its answer, too often or where repeating is unsafe. */
export class BadGatewayError extends ServiceError {
  readonly code = 'CONVOY_BAD_GATEWAY'
  readonly statusCode = 502
}

/** No instance of the service was there until the deadline. Nothing was done. */
export class NoInstanceError extends ServiceError {
  readonly code = 'CONVOY_NO_INSTANCE'
  readonly statusCode = 503
  override readonly retryAfterS = 1
}

/** No answer until the deadline. Whether something was done is unknown. */
export class GatewayTimeoutError extends ServiceError {
  readonly code = 'CONVOY_GATEWAY_TIMEOUT'
  readonly statusCode = 504
}
