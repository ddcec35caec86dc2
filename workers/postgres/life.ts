/**
 * All connections to PostgreSQL from one start of its processes to the next. One executes as
 * the application's role, one applies, one keeps the log, a few read; each is opened when it
 * is first needed. When PostgreSQL restarts its processes the whole life is thrown away.
 */
import { Applier } from './apply.ts'
import { Connection, ConnectionLostError, type ConnectOptions } from './connection.ts'
import { Analyst } from './dependence.ts'
import { Executor } from './execute.ts'
import { type Activity, Guard, type GuardEvent } from './guard.ts'
import { type Limits, messageBytesMax } from './limits.ts'
import { Log, type LogEnd } from './log.ts'
import type { Mode } from './master.ts'
import type { PostgresServer } from './server.ts'
import { Session } from './session.ts'
import { Verifier } from './verifier.ts'

const APPLY_SETTINGS = [
  // Triggers and foreign keys have done their part on the master.
  'set session_replication_role = replica',
  // Rows are found by their keys, also by plans that were made while a table was empty.
  ...['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'].map(name => `set ${name} = off`)
]
const ACTIVITY = `
  select query, extract(epoch from clock_timestamp() - query_start) * 1000
  from pg_catalog.pg_stat_activity where pid = $1 and state = 'active'`

/** So long a snapshot may keep dead rows, and a lock on a table last. */
const ASIDE_TIMEOUT_MS = 5_000

export interface LifeOptions {
  readonly server: PostgresServer
  readonly limits: Limits
  readonly workerId: string
  /** Digest of what opens the log to this worker's transactions. */
  readonly secret: string
  readonly leastMode?: Mode | undefined
  readonly told?: ((event: GuardEvent) => void) | undefined
}

/** How reads connect. */
export function readerConnect(
  { server: { socketDir, port }, limits }: LifeOptions,
  opened: (connection: Connection) => void
): ConnectOptions {
  return {
    ...{ socketDir, port, user: 'convoy_read', opened },
    statementTimeoutMs: limits.readTimeoutMs,
    messageBytesMax: messageBytesMax(limits)
  }
}

export class Life implements AsyncDisposable {
  readonly guard: Guard
  readonly keeper: Connection
  readonly log: Log
  readonly analyst: Analyst
  readonly verifier: Verifier
  readonly #options: LifeOptions
  readonly #end: LogEnd
  readonly #sessions = new Map<string, Promise<Session>>()
  readonly #open: Session[] = []
  #prober: Promise<Connection> | undefined
  #closed = false
  /** Both know the schema; either may change it, so the other is forgotten then. */
  #executor: Executor | undefined
  #applier: Applier | undefined

  constructor(options: LifeOptions, parts: { guard: Guard; keeper: Connection; end: LogEnd }) {
    const { limits } = options
    this.#options = options
    this.#end = parts.end
    this.guard = parts.guard
    this.keeper = parts.keeper
    this.log = new Log(parts.keeper, { limits, end: parts.end })
    const opened = this.guard.watch('reads', { limitMs: limits.readTimeoutMs })
    this.analyst = new Analyst(readerConnect(options, opened))
    this.verifier = new Verifier({ ...options, connect: () => this.openAside() })
  }

  /** @throws ConnectionLostError when PostgreSQL takes no connections (now) */
  static async open(
    options: LifeOptions,
    endOf: (keeper: Connection) => Promise<LogEnd>
  ): Promise<Life> {
    const ask = async (pid: number): Promise<Activity | undefined> => life?.activityOf(pid)
    const guard = new Guard({ backends: options.server.backends, ask, told: options.told })
    let life: Life | undefined
    try {
      const { socketDir, port } = options.server
      const opened = guard.watch('own')
      const keeper = await Connection.open({ socketDir, port, user: 'convoy_apply', opened })
      life = new Life(options, { guard, keeper, end: await endOf(keeper) })
      // Whoever asks cannot wait for a connection then. Where it fails, the next one is tried.
      life.activityOf(0).catch(() => undefined)
      return life
    } catch (err) {
      await guard.close()
      throw err
    }
  }

  async executor(): Promise<Executor> {
    this.#applier = undefined
    this.#executor ??= await this.#openExecutor()
    return this.#executor
  }

  nameSequences(): void {
    this.#executor?.nameSequences()
  }

  async applier(): Promise<Applier> {
    this.#executor = undefined
    this.#applier ??= await Applier.open(await this.applySession(), {
      log: this.#end,
      secret: this.#options.secret,
      verifier: this.verifier
    })
    return this.#applier
  }

  applySession(): Promise<Session> {
    this.#executor = undefined
    return this.#session('convoy_apply', { opened: this.guard.watch('own') })
  }

  overdueMs(): number {
    return Math.max(0, ...this.#open.map(session => session.overdueMs()))
  }

  get committedMs(): number {
    return this.#open.reduce((sum, { committedMs }) => sum + committedMs, 0)
  }

  async cancel(): Promise<void> {
    const sessions = await Promise.allSettled(this.#sessions.values())
    await Promise.all(
      sessions.map(session => session.status === 'fulfilled' && session.value.cancel())
    )
  }

  /** What PostgreSQL says of a process, on a connection that does nothing else. */
  async activityOf(pid: number): Promise<Activity | undefined> {
    this.#prober ??= Connection.open(
      this.#connect('convoy_apply', { opened: this.guard.watch('own') })
    )
    const prober = await this.#prober.catch((err: unknown) => {
      this.#prober = undefined
      throw err
    })
    const [row] = await prober.rows(ACTIVITY, [String(pid)])
    return row && { query: row[0] ?? '', ageMs: Number(row[1]) }
  }

  /** For what is done in the background: a statement of it is ended after a time. */
  openAside(): Promise<Connection> {
    const opened = this.guard.watch('own')
    const how = { statementTimeoutMs: ASIDE_TIMEOUT_MS, lockTimeoutMs: ASIDE_TIMEOUT_MS, opened }
    return Connection.open(this.#connect('convoy_apply', how))
  }

  /** Throws all of it away; returns when nothing that it began can be committed any more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.guard.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.guard[Symbol.dispose]()
    await this.verifier[Symbol.asyncDispose]()
    await Promise.all(this.#open.map(session => session[Symbol.asyncDispose]()))
    await (await this.#prober?.catch(() => undefined))?.[Symbol.asyncDispose]()
    await this.keeper[Symbol.asyncDispose]()
  }

  async #openExecutor(): Promise<Executor> {
    const { limits, secret, leastMode } = this.#options
    const { writeTimeoutMs, writePatienceMs, lockTimeoutMs } = limits
    const session = await this.#session('convoy_app', {
      statementTimeoutMs: writeTimeoutMs,
      lockTimeoutMs,
      messageBytesMax: messageBytesMax(limits),
      opened: this.guard.watch('writes', { limitMs: writeTimeoutMs, leastMs: writePatienceMs })
    })
    const isWell = () => this.log.isWell()
    const { verifier } = this
    return Executor.open(session, { secret, limits, log: this.#end, isWell, leastMode, verifier })
  }

  #session(user: string, how: Partial<ConnectOptions>): Promise<Session> {
    const known = this.#sessions.get(user)
    if (known !== undefined) return known
    const session = this.#openSession(user, how)
    this.#sessions.set(user, session)
    return session
  }

  async #openSession(user: string, how: Partial<ConnectOptions>): Promise<Session> {
    if (this.#closed) {
      throw new ConnectionLostError('PostgreSQL restarts', { pid: 0, cause: undefined })
    }
    const connection = await Connection.open(this.#connect(user, how))
    const stepTimeoutMs = how.statementTimeoutMs ?? Number.POSITIVE_INFINITY
    const session = new Session(connection, stepTimeoutMs)
    this.#open.push(session)
    if (user === 'convoy_apply') {
      // It takes what a master could commit: to run out of memory here would be a divergence.
      await this.#exempt(connection.pid)
      await connection.must(APPLY_SETTINGS.map(sql => ({ sql })))
    }
    return session
  }

  /** Where the process is gone, its connection says so. */
  async #exempt(pid: number): Promise<void> {
    const { backends } = this.#options.server
    await backends.exempt(pid).catch((err: unknown) => {
      if (backends.owns(pid)) throw err
    })
  }

  #connect(user: string, how: Partial<ConnectOptions>): ConnectOptions {
    const { socketDir, port } = this.#options.server
    return { socketDir, port, user, ...how }
  }
}
