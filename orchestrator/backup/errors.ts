/**
 * Failures of a backup that its caller can act on.
 */
import { ServiceError } from '../../wire/errors.ts'

export class BackupRunningError extends ServiceError {
  readonly code = 'CONVOY_BACKUP_RUNNING'
  readonly statusCode = 409

  constructor(workerId: string) {
    super(`a backup is being taken from worker ${workerId} already`)
  }
}

/** There is no worker to take it from, or it could not be begun there. */
export class BackupUnavailableError extends ServiceError {
  readonly code = 'CONVOY_BACKUP_UNAVAILABLE'
  readonly statusCode = 503
  override readonly retryAfterS = 1
}
