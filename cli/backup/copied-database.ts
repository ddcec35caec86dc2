/**
 * Makes sure of an unpacked database: that every file is the one that was copied, that
 * PostgreSQL can finish what the copy began, and that Convoy's log in it holds together.
 */
import { join } from 'node:path'
import { UserError } from '../../local/script.ts'
import type { Secrets } from '../../local/secrets.ts'
import type { BackupHead } from '../../wire/backup.ts'
import { checksumOf } from '../../workers/entry.ts'
import { accountFor } from '../../workers/postgres/account.ts'
import { runAs } from '../../workers/postgres/group.ts'
import { type DatabaseOptions, dataDirOf, startPostgres } from '../../workers/postgres/server.ts'
import { openStore } from '../../workers/postgres/store.ts'
import { LEFT_OUT } from './unpack.ts'

/** It reads the log that was written while the copy was taken. */
const RECOVERY_MS = 600_000
const STOP_MS = 60_000
const ONE_ENTRY_BYTES = 1

/** Where the log of a copy ends: the index that is restored. */
export interface CopyEnd {
  readonly index: number
  readonly term: number
  /** The highest that the copied worker knew of; not below the log's. */
  readonly knownTerm: number
}

/** @throws UserError naming the first file that is not as it was copied */
export async function checkFiles(options: DatabaseOptions): Promise<void> {
  const account = await accountFor(options.runAs ?? 'postgres')
  const data = dataDirOf(options.dir)
  try {
    await runAs(account, {
      program: join(options.binDir, 'pg_verifybackup'),
      args: ['--quiet', '--exit-on-error', ...LEFT_OUT.map(name => `--ignore=${name}`), data],
      cwd: options.dir
    })
  } catch (cause) {
    const why = (cause as Error).message.replaceAll(`${data}/`, '')
    throw new UserError(`the backup is damaged: ${why}`, { cause })
  }
}

/** @throws UserError when PostgreSQL cannot use it, or its log is not what it should be */
export async function recoverCopy(
  options: DatabaseOptions,
  { head, secrets }: { readonly head: BackupHead; readonly secrets: Secrets }
): Promise<CopyEnd> {
  const server = await startPostgres({ ...options, startTimeoutMs: RECOVERY_MS }).catch(
    (cause: unknown) => {
      throw new UserError(`the backup cannot be used: ${(cause as Error).message}`, { cause })
    }
  )
  try {
    await using store = await openStore({
      server,
      workerId: head.workerId,
      secret: secrets.storeSecret,
      clonePassword: secrets.clonePassword
    })
    const { last, memory } = store
    const tail =
      last.index === 0 ? 'pruned' : await store.entriesAfter(last.index - 1, ONE_ENTRY_BYTES)
    // All entries may have been let go: then there is but the position that is kept of them.
    const [entry] = tail === 'pruned' ? [] : tail.entries
    const prev = tail === 'pruned' ? '' : tail.prev.checksum
    if (entry !== undefined && checksumOf(prev, entry) !== last.checksum) {
      throw new UserError(`the backup is damaged: its log breaks at index ${last.index}`)
    }
    if (last.index < head.index || last.term < 1) {
      const end = `its log ends at index ${last.index} of term ${last.term}`
      throw new UserError(`the backup is damaged: ${end}, and not at ${head.index} or later`)
    }
    return { index: last.index, term: last.term, knownTerm: Math.max(memory.term, last.term) }
  } finally {
    await server.stop(STOP_MS)
  }
}
