/**
 * Brings a service's schema up at its start, as soon as the orchestrator answers:
 * the service may be started long before it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../client/database.ts'
import { DatabaseUnavailableError, UnknownOutcomeError } from '../../client/errors.ts'
import { type Migrating, migrate } from '../../client/migrations.ts'
import { backoffMs, RECONNECT } from '../../wire/backoff.ts'
import type { Logger } from '../log.ts'

/**
 * Resolves when the schema is what the files in `folder` say; waits as long as it takes.
 * @throws MigrationError when the files and what was applied differ
 */
export async function bringSchema(
  db: Database,
  options: Migrating & { readonly log: Logger }
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const applied = await migrate(db, options)
      options.log.info({ applied }, 'schema is up')
      return
    } catch (err) {
      if (!(err instanceof DatabaseUnavailableError || err instanceof UnknownOutcomeError))
        throw err
      options.log.warn({ err, attempt }, 'waiting for the orchestrator')
      await sleep(backoffMs(RECONNECT, attempt))
    }
  }
}
