/**
 * A replication slot that lives as long as its connection. While it is there, PostgreSQL
 * keeps the log that the copy will end with: a checkpoint in the middle of a long copy would
 * let it go. Its name is the same everywhere, so one database has one backup at a time,
 * whichever orchestrator takes it.
 */
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { CLONE_ROLE } from '../../workers/postgres/clone.ts'
import { BackupRunningError, BackupUnavailableError } from './errors.ts'
import type { Source } from './source.ts'

/** Of the slot's connection and the copy's: the worker ends both when the copy stands still. */
export const BACKUP_NAME = 'convoy_backup'
const SLOT = 'CREATE_REPLICATION_SLOT convoy_backup TEMPORARY PHYSICAL RESERVE_WAL'
const CONNECT_MS = 10_000
const SLOT_EXISTS = '42710'

export interface KeptWal {
  /** Version of the PostgreSQL that is copied. */
  readonly postgres: string
  release(): void
}

/** @throws BackupRunningError or BackupUnavailableError */
export async function keepWal(
  source: Source,
  { password, ca }: { readonly password: string; readonly ca?: string | undefined }
): Promise<KeptWal> {
  const { host, port, workerId } = source
  const settings: pg.ClientConfig & { replication: string } = {
    ...{ host, port, password, user: CLONE_ROLE, replication: 'true' },
    connectionTimeoutMillis: CONNECT_MS,
    application_name: BACKUP_NAME,
    ...(ca !== undefined && { ssl: { ca: readFileSync(ca, 'utf8') } })
  }
  const client = new pg.Client(settings)
  // When it is lost, PostgreSQL or its worker is, and the copy breaks off by itself.
  client.on('error', () => undefined)
  const release = () => void client.end().catch(() => undefined)
  try {
    await client.connect()
    await client.query(SLOT)
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
    return { postgres: rows[0]?.server_version ?? 'unknown', release }
  } catch (cause) {
    release()
    if ((cause as { code?: string }).code === SLOT_EXISTS) throw new BackupRunningError(workerId)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BackupUnavailableError(`worker ${workerId} cannot be copied: ${why}`, { cause })
  }
}
