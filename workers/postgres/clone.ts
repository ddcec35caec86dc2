/**
 * A new replica's database: a physical copy of a running worker's. The copy starts
 * as a primary of its own (there is no standby.signal) and holds the source's rows,
 * log, roles and passwords as of one moment. It counts only when it is complete and
 * on disk; half a copy is thrown away.
 */
import { join } from 'node:path'
import { accountFor, makeFolder, runAs } from './account.ts'
import { placedCa } from './certificate.ts'
import { flushWhile } from './flush.ts'
import { type DatabaseOptions, dataDirOf, markComplete, removeHalfMade } from './server.ts'

/** Those that serve have the better use for the CPU. */
const NICE = '10'
/** Login for copies, over TCP and with a password. */
export const CLONE_ROLE = 'convoy_clone'

export interface CloneOptions extends DatabaseOptions {
  readonly host: string
  readonly port: number
  readonly password: string
  /** A file with the CAs that are believed; only TLS is spoken then. */
  readonly ca?: string | undefined
  /** Bounds what a copy takes from a running cluster, in kB/s (32 or more). */
  readonly maxRateKBps?: number
}

/** Copies the database at `host:port` into the worker's folder `dir`. */
export async function clonePostgres(options: CloneOptions): Promise<void> {
  const account = await accountFor(options.runAs ?? 'postgres')
  const data = dataDirOf(options.dir)
  await makeFolder(options.dir, account)
  await removeHalfMade(options.dir)
  const source = ['--host', options.host, '--port', String(options.port)]
  const rate = options.maxRateKBps === undefined ? [] : ['--max-rate', `${options.maxRateKBps}k`]
  const how = ['--wal-method', 'stream', '--checkpoint', 'fast', '--no-password', '--no-sync']
  const ca = options.ca && (await placedCa(options.dir, options.ca, account))
  const verified = ca ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: ca } : {}
  // It removes what it wrote when it fails.
  const copying = runAs(account, {
    program: 'nice',
    args: [
      ...['-n', NICE, join(options.binDir, 'pg_basebackup'), '--pgdata', data],
      ...['--username', CLONE_ROLE, ...source, ...how, ...rate]
    ],
    env: { PGPASSWORD: options.password, PGCONNECT_TIMEOUT: '10', ...verified },
    cwd: options.dir
  })
  await flushWhile(data, copying)
  await runAs(account, {
    program: join(options.binDir, 'initdb'),
    args: ['--sync-only', '--pgdata', data],
    cwd: options.dir
  })
  await markComplete(options.dir)
}
