/**
 * A new replica's database: a physical copy of a running worker's. The copy starts
 * as a primary of its own (there is no standby.signal) and holds the source's rows,
 * log, roles and passwords as of one moment. It counts only when it is complete and
 * on disk; half a copy is thrown away.
 * A copy that makes no progress is given up, so that another source can be tried.
 */
import { join } from 'node:path'
import { accountFor, makeFolder } from './account.ts'
import { placedCa } from './certificate.ts'
import { copyName } from './copies.ts'
import { flushWhile } from './flush.ts'
import { runAs } from './group.ts'
import { type DatabaseOptions, dataDirOf, markComplete, removeHalfMade } from './server.ts'

/** Those that serve have the better use for the CPU. */
const NICE = '10'
/** Login for copies, over TCP and with a password. */
export const CLONE_ROLE = 'convoy_clone'
/** A checkpoint that precedes the copy takes seconds on a slow disk; it prints nothing meanwhile. */
const STALLED_MS = 30_000
/** As pg_basebackup prints it, once a second while data arrives. */
const PROGRESS = /^ *\d+\/\d+ kB \((\d+)%\)/gm

export interface CloneOptions extends DatabaseOptions {
  readonly host: string
  readonly port: number
  readonly password: string
  /** Who copies: the source ends copies of workers that are gone. */
  readonly workerId: string
  /** A file with the CAs that are believed; only TLS is spoken then. */
  readonly ca?: string | undefined
  /** Bounds what a copy takes from a running cluster, in kB/s (32 or more). */
  readonly maxRateKBps?: number
  /** Without progress for so long the copy is given up. */
  readonly stalledMs?: number
  readonly onProgress?: (percent: number) => void
}

export class CopyStalledError extends Error {
  override readonly name = 'CopyStalledError'
}

/** Copies the database at `host:port` into the worker's folder `dir`. @throws CopyStalledError */
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
  using progress = watchProgress(options)
  // It removes what it wrote when it fails.
  const copying = runAs(account, {
    program: 'nice',
    args: [
      ...['-n', NICE, join(options.binDir, 'pg_basebackup'), '--pgdata', data, '--progress'],
      ...['--username', CLONE_ROLE, ...source, ...how, ...rate]
    ],
    env: {
      PGPASSWORD: options.password,
      PGCONNECT_TIMEOUT: '10',
      PGAPPNAME: copyName(options.workerId),
      ...verified
    },
    cwd: options.dir,
    onSaid: progress.said,
    signal: progress.signal
  })
  await flushWhile(data, copying)
  await runAs(account, {
    program: join(options.binDir, 'initdb'),
    args: ['--sync-only', '--pgdata', data],
    cwd: options.dir
  })
  await markComplete(options.dir)
}

function watchProgress({ stalledMs = STALLED_MS, host, port, onProgress }: CloneOptions) {
  const stalled = new AbortController()
  const giveUp = () =>
    stalled.abort(new CopyStalledError(`${host}:${port} sent nothing for ${stalledMs} ms`))
  const timer = setTimeout(giveUp, stalledMs)
  const said = (text: string) => {
    timer.refresh()
    const percent = [...text.matchAll(PROGRESS)].at(-1)?.[1]
    if (percent !== undefined) onProgress?.(Number(percent))
  }
  return { signal: stalled.signal, said, [Symbol.dispose]: () => clearTimeout(timer) }
}
