/** What an operator has switched off. */
import { ServiceError } from './errors.ts'

/** Nothing was done, here or by any other instance. */
export class OperationDisabledError extends ServiceError {
  readonly code = 'CONVOY_OPERATION_DISABLED'
  readonly statusCode = 503
  /** As long as an operator needs to think, at least. */
  override readonly retryAfterS = 10

  constructor(operation?: string) {
    super(`${operation ?? 'an operation that this needs'} is switched off by an operator`)
  }
}

/** Nothing was done; another instance serves. */
export class FrozenError extends ServiceError {
  readonly code = 'CONVOY_FROZEN'
  readonly statusCode = 503
  override readonly retryAfterS = 1

  constructor() {
    super('this instance is frozen: it takes no more')
  }
}
