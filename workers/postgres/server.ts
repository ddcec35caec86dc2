/**
 * A worker's own PostgreSQL: made, started, watched and stopped by the worker, and
 * ended by the kernel when the worker is killed. Layout of a worker's folder:
 * `data` (PostgreSQL's), `socket` (closed to others), `postgres.log`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, accountFor, asAccount, makeFolder } from './account.ts'
import { Backends } from './backends.ts'
import { type Paths, placedCertificate } from './certificate.ts'
import { accessRules, serverConfiguration } from './configuration.ts'
import { runAs } from './group.ts'
import { BACKEND_MEMORY_MIB } from './limits.ts'
import { memoryLimit } from './memory.ts'
import { endProcessesIn, endProgramsIn } from './processes.ts'
import { ServerLog } from './server-log.ts'

/** Login for the set-up of schema and roles, and for nothing else. */
export const SETUP_ROLE = 'convoy_setup'
/** `sockaddr_un` holds 107 bytes; `/.s.PGSQL.65535` is what PostgreSQL appends. */
const SOCKET_DIR_BYTES_MAX = 107 - 16
const END_GRACE_MS = 5_000
const READY_POLL_MS = 10
/** A standby takes reads; only the bench makes one. */
const READY = ['ready', 'standby']

export interface DatabaseOptions {
  /** The worker's folder. */
  readonly dir: string
  /** Where PostgreSQL's programs lie. */
  readonly binDir: string
  /** Account that runs PostgreSQL when the worker is root. */
  readonly runAs?: string
}

export interface StartOptions extends DatabaseOptions {
  /** Address on which the database can be cloned. */
  readonly host?: string
  /** Who may do that, as in pg_hba.conf. */
  readonly cloneFrom?: string
  readonly tls?: Paths | undefined
  /** 0 takes a free one. */
  readonly port?: number
  /** Private memory that each process of PostgreSQL may have; see memory.ts. */
  readonly backendMemoryMiB?: number
  readonly startTimeoutMs?: number
}

export interface PostgresServer extends AsyncDisposable {
  readonly pid: number
  readonly socketDir: string
  readonly host: string
  readonly port: number
  readonly backends: Backends
  /** False as soon as the postmaster has ended. A restart of its processes is not its end. */
  readonly isRunning: boolean
  /** Resolves when PostgreSQL has ended, for whatever reason. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>
  /** Ends PostgreSQL in order, and by force after `graceMs`. */
  stop(graceMs?: number): Promise<void>
}

export const dataDirOf = (dir: string) => join(dir, 'data')
const accountOf = (options: DatabaseOptions) => accountFor(options.runAs ?? 'postgres')

/** Whether `dir` holds a database that was made (or copied) to its end. */
export async function hasDatabase(dir: string): Promise<boolean> {
  const parts = [join(dir, 'complete'), join(dataDirOf(dir), 'PG_VERSION')]
  return Promise.all(parts.map(part => access(part))).then(
    () => true,
    () => false
  )
}

/** Written last, and durably: a folder without it is a half-made database, and thrown away. */
export async function markComplete(dir: string): Promise<void> {
  await using marker = await open(join(dir, 'complete'), 'w', 0o600)
  await marker.sync()
  await using folder = await open(dir)
  await folder.sync()
}

/** Clears the way for a new database in `dir`: nothing writes there any more. */
export async function removeHalfMade(dir: string): Promise<void> {
  await endProgramsIn(dir, END_GRACE_MS)
  await rm(join(dir, 'complete'), { force: true })
  await rm(dataDirOf(dir), { recursive: true, force: true })
}

/** Makes a new, empty database in `dir`, in place of a half-made one. */
export async function initDatabase(options: DatabaseOptions): Promise<void> {
  const account = await accountOf(options)
  const data = dataDirOf(options.dir)
  await makeFolder(options.dir, account)
  await removeHalfMade(options.dir)
  const place = ['--pgdata', data, '--username', SETUP_ROLE, '--auth', 'trust']
  const form = ['--data-checksums', '--locale', 'C.UTF-8', '--encoding', 'UTF8']
  await runAs(account, {
    program: join(options.binDir, 'initdb'),
    args: [...place, ...form],
    cwd: options.dir
  })
  await markComplete(options.dir)
}

/** Starts PostgreSQL on `dir`, after ending what a dead predecessor left running there. */
export async function startPostgres(options: StartOptions): Promise<PostgresServer> {
  const account = await accountOf(options)
  const data = dataDirOf(options.dir)
  const socketDir = join(options.dir, 'socket')
  if (Buffer.byteLength(socketDir) > SOCKET_DIR_BYTES_MAX) {
    throw new Error(`${socketDir} is too long for a socket: ${SOCKET_DIR_BYTES_MAX} bytes at most`)
  }
  await endProcessesIn(data, END_GRACE_MS)
  await makeFolder(socketDir, account)
  const host = options.host ?? '127.0.0.1'
  const port = options.port || (await freePort(host))
  const tls = options.tls && (await placedCertificate(options.dir, options.tls, account))
  await writeFile(
    join(data, 'postgresql.conf'),
    serverConfiguration({ socketDir, host, port, tls })
  )
  await writeFile(
    join(data, 'pg_hba.conf'),
    accessRules(options.cloneFrom ?? 'samenet', tls !== undefined)
  )
  const log = new ServerLog(join(options.dir, 'postgres.log'))
  const child = launch(account, { options, data, log })
  const server = handle(child, { socketDir, host, port, account, dir: options.dir, log })
  await ready(data, { child, log, timeoutMs: options.startTimeoutMs ?? 60_000 })
  return server
}

function launch(
  account: Account | undefined,
  start: { options: StartOptions; data: string; log: ServerLog }
): ChildProcess {
  const { program, args } = asAccount(account, {
    program: 'prlimit',
    args: [
      memoryLimit(start.options.backendMemoryMiB ?? BACKEND_MEMORY_MIB),
      join(start.options.binDir, 'postgres'),
      ...['-D', start.data]
    ],
    signal: 'QUIT'
  })
  // Its own process group: a Ctrl-C at the terminal must not reach it before the worker decides.
  const child = spawn(program, args, {
    cwd: start.options.dir,
    env: { LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true
  })
  start.log.follow(child.stderr)
  return child
}

function handle(
  child: ChildProcess,
  place: {
    socketDir: string
    host: string
    port: number
    account: Account | undefined
    dir: string
    log: ServerLog
  }
): PostgresServer {
  const { account, dir, log, ...address } = place
  const backends = new Backends(child.pid ?? -1, { account, cwd: dir })
  log.onText = text => backends.heard(text)
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null
  }))
  // Whoever cares reads `exited`; a program that cannot be started is told by `ready`.
  exited.catch(() => undefined)
  const stop = async (graceMs = 5_000) => {
    if (!isRunning()) return
    child.kill('SIGINT')
    // The postmaster would wait for them.
    backends.killFrozen()
    const orderly = new AbortController()
    const forced = sleep(graceMs, undefined, { signal: orderly.signal })
      .then(() => child.kill('SIGQUIT'))
      .catch(() => undefined)
    await exited
    orderly.abort()
    await forced
  }
  return {
    ...address,
    pid: child.pid ?? -1,
    backends,
    get isRunning() {
      return isRunning()
    },
    exited,
    stop,
    [Symbol.asyncDispose]: () => stop()
  }
}

/** PostgreSQL itself writes into this file when it takes connections. */
async function ready(
  data: string,
  start: { child: ChildProcess; log: ServerLog; timeoutMs: number }
): Promise<void> {
  const { child, log, timeoutMs } = start
  let failed: Error | undefined
  child.once('error', err => {
    failed = err
  })
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (lines[0] === String(child.pid) && READY.includes(lines[7]?.trim() ?? '')) return
    if (failed !== undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`PostgreSQL did not start: ${log.tail}`, { cause: failed })
    }
    if (performance.now() > deadline) {
      child.kill('SIGQUIT')
      throw new Error(`PostgreSQL was not ready within ${timeoutMs} ms: ${log.tail}`)
    }
    await sleep(READY_POLL_MS)
  }
}

async function freePort(host: string): Promise<number> {
  const probe = createServer().listen(0, host)
  await once(probe, 'listening')
  const address = probe.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  probe.close()
  await once(probe, 'close')
  return port
}
