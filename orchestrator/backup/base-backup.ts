/**
 * A worker's database as a stream: a gzip'ed tar that PostgreSQL's own pg_basebackup
 * writes, behind a first member that tells what it is.
 * Invariants:
 * - The stream ends well only when pg_basebackup did; else it is destroyed.
 * - With the stream ends pg_basebackup, and the worker keeps its log no longer.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import type { Logger } from '../../platform/log.ts'
import { BACKUP_FORMAT, type BackupHead } from '../../wire/backup.ts'
import { beginSeal, sealOf } from '../../wire/backup-seal.ts'
import { asAccount } from '../../workers/postgres/account.ts'
import { CLONE_ROLE } from '../../workers/postgres/clone.ts'
import { headMember } from './head-member.ts'
import { BACKUP_NAME, keepWal } from './kept-wal.ts'
import type { Source } from './source.ts'

/** A reader that takes nothing for so long would have the worker keep its log for ever. */
const STALLED_MS = 120_000
const SAID_BYTES_MAX = 4_096

export interface BaseBackupOptions {
  readonly source: Source
  readonly known: Pick<BackupHead, 'clusterId' | 'term' | 'index'>
  readonly password: string
  /** Of the installation; without it the backup has no seal, and a restore asks whether to trust it. */
  readonly secret?: string | undefined
  /** A file with the CAs that are believed; only TLS is spoken then. */
  readonly ca?: string | undefined
  /** Folder of pg_basebackup. */
  readonly binDir: string
  /** Bounds what it takes from the worker, in kB/s. */
  readonly maxRateKBps: number | undefined
  readonly log: Logger
}

/**
 * @returns once the copy is on its way
 * @throws BackupRunningError or BackupUnavailableError
 */
export async function openBaseBackup(options: BaseBackupOptions): Promise<Readable> {
  const { source, known, log } = options
  const { workerId } = source
  const wal = await keepWal(source, options)
  const at = new Date().toISOString()
  const head = { format: BACKUP_FORMAT, ...known, workerId, postgres: wal.postgres, at }
  const child = start(options)
  const said = lastWords(child)
  const archive = new PassThrough()
  archive.once('close', () => {
    child.kill('SIGKILL')
    wal.release()
    log.info({ workerId, whole: archive.readableEnded }, 'backup ended')
  })
  archive.once('error', err => log.warn({ err, workerId }, 'backup broke off'))
  child.once('error', err => archive.destroy(err))
  const seal = options.secret === undefined ? undefined : beginSeal(options.secret)
  child.once('close', code => {
    if (code === 0) archive.end(seal && sealOf(seal))
    else archive.destroy(new Error(`pg_basebackup failed: ${said()}`))
  })
  log.info({ ...head }, 'backup begun')
  const first = headMember(head)
  seal?.update(first)
  archive.write(first)
  child.stdout.on('data', (chunk: Buffer) => seal?.update(chunk))
  child.stdout.pipe(archive, { end: false })
  endStalled(archive, child)
  return archive
}

function start({ source, password, ca, binDir, maxRateKBps }: BaseBackupOptions) {
  const from = ['--host', source.host, '--port', String(source.port), '--username', CLONE_ROLE]
  const rate = maxRateKBps === undefined ? [] : ['--max-rate', `${maxRateKBps}k`]
  // A fast checkpoint writes 32 MB at most, all that PostgreSQL buffers here; a spread one takes minutes.
  const how = ['--checkpoint', 'fast', '--wal-method', 'fetch', '--no-password', ...rate]
  const form = ['--pgdata', '-', '--format', 'tar', '--compress', 'gzip:1']
  const copy = [join(binDir, 'pg_basebackup'), ...form, ...from, ...how]
  const verified = ca ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: ca } : {}
  // Compression is work that whoever serves must not wait for.
  const command = asAccount(undefined, { program: 'nice', args: ['-n', '19', ...copy] })
  return spawn(command.program, command.args, {
    env: {
      LC_ALL: 'C.UTF-8',
      PGPASSWORD: password,
      PGCONNECT_TIMEOUT: '10',
      PGAPPNAME: BACKUP_NAME,
      ...verified
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

function lastWords({ stderr }: { readonly stderr: Readable }): () => string {
  let text = ''
  stderr.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-SAID_BYTES_MAX)
  })
  return () => text.trim()
}

function endStalled(archive: PassThrough, { stdout }: ChildProcess): void {
  const late = () => archive.destroy(new Error(`nothing was taken for ${STALLED_MS} ms`))
  const timer = setTimeout(late, STALLED_MS)
  stdout?.on('data', () => timer.refresh())
  archive.once('close', () => clearTimeout(timer))
}
