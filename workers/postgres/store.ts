/**
 * A worker's database, as the protocol sees it (../store.ts). One connection executes
 * as the application's role, one applies, one keeps the log, a few read; each is
 * opened when it is first needed.
 */
import { hash } from 'node:crypto'
import type { ReadCommand, WriteCommand } from '../../platform/wire/requests.ts'
import { checksumOf, type Entry, type Position, positionOf } from '../entry.ts'
import {
  type Answer,
  type Bystanders,
  type Executed,
  type Memory,
  type Postponed,
  type ReadResult,
  type Store,
  TermRaisedError,
  type Verified
} from '../store.ts'
import { Applier } from './apply.ts'
import { Connection, type ConnectOptions } from './connection.ts'
import { endCopy, type Leftover, type Sender, sendersOf } from './copies.ts'
import { Analyst } from './dependence.ts'
import { Executor } from './execute.ts'
import { LIMITS, type Limits } from './limits.ts'
import { APPEND, appendValues, Log, type LogEnd, readEnd } from './log.ts'
import type { Mode } from './master.ts'
import { Readers } from './reads.ts'
import { prepareSchema } from './schema.ts'
import type { PostgresServer } from './server.ts'
import { Session } from './session.ts'
import { lostTo } from './sql-error.ts'

export interface StoreOptions {
  readonly server: PostgresServer
  /** Stands in the answers to reads. */
  readonly workerId: string
  /** Opens the log to this worker's transactions; anything that nobody can guess. */
  readonly secret: string
  /** With which others may copy this database. */
  readonly clonePassword: string
  readonly limits?: Partial<Limits>
  /** For tests: writes are never executed in a faster mode. */
  readonly leastMode?: Mode
}

/** Opens the database of a running PostgreSQL; makes Convoy's schema in a new one. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const limits = { ...LIMITS, ...options.limits }
  // As a digest it is plain text, whatever it was.
  const secret = hash('sha256', options.secret)
  await prepareSchema({
    ...options,
    ...placeOf(options),
    secret,
    maxEntryBytes: limits.maxEntryBytes
  })
  const opened = new AsyncDisposableStack()
  try {
    const keeper = opened.use(await Connection.open({ ...placeOf(options), user: 'convoy_apply' }))
    const end = await readEnd(keeper)
    return new PostgresStore({ options: { ...options, secret }, limits, end, keeper, opened })
  } catch (err) {
    await opened.disposeAsync()
    throw err
  }
}

const placeOf = ({ server: { socketDir, port } }: StoreOptions) => ({ socketDir, port })

const BEGIN_TERM = `
  update convoy.memory set term = $1, state_version = 0 where term < $1::int8 returning term`

const APPLY_SETTINGS = [
  // Triggers and foreign keys have done their part on the master.
  'set session_replication_role = replica',
  // Rows are found by their keys, also by plans that were made while a table was empty.
  ...['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'].map(name => `set ${name} = off`)
]

class PostgresStore implements Store {
  verified: Verified | null = null
  readonly #options: StoreOptions
  readonly #limits: Limits
  readonly #end: LogEnd
  readonly #keeper: Connection
  readonly #log: Log
  readonly #readers: Readers
  readonly #analyst: Analyst
  readonly #opened: AsyncDisposableStack
  readonly #sessions = new Map<string, Promise<Session>>()
  readonly #open: Session[] = []
  /** Both know the schema; either may change it, so the other is forgotten then. */
  #executor: Executor | undefined
  #applier: Applier | undefined

  constructor(parts: {
    options: StoreOptions
    limits: Limits
    end: LogEnd
    keeper: Connection
    opened: AsyncDisposableStack
  }) {
    const { options, limits, end, keeper } = parts
    this.#options = options
    this.#limits = limits
    this.#end = end
    this.#opened = parts.opened
    this.#keeper = keeper
    this.#log = new Log(keeper, { limits, end })
    const connect = this.#connect('convoy_read', { statementTimeoutMs: limits.readTimeoutMs })
    const isWell = () => this.#log.isWell()
    const { workerId } = options
    this.#readers = parts.opened.use(new Readers({ connect, limits, workerId, isWell }))
    this.#analyst = new Analyst(connect)
  }

  get memory(): Memory {
    return this.#end.memory
  }

  overdueMs(): number {
    return Math.max(0, ...this.#open.map(session => session.overdueMs()))
  }

  get committedMs(): number {
    return this.#open.reduce((sum, { committedMs }) => sum + committedMs, 0)
  }

  get last(): Position {
    return this.#end.last
  }

  remember(memory: Memory): Promise<void> {
    return this.#log.remember(memory)
  }

  async execute(
    batch: readonly WriteCommand[],
    term: number,
    bystanders?: Bystanders
  ): Promise<(Executed | Postponed)[]> {
    this.#applier = undefined
    this.#executor ??= await this.#openExecutor()
    return this.#executor.execute(batch, term, bystanders)
  }

  async refuse(command: WriteCommand, refusal: Answer, term: number): Promise<Executed> {
    this.#applier = undefined
    this.#executor ??= await this.#openExecutor()
    return this.#executor.refuse(command, refusal, term)
  }

  nameSequences(): void {
    this.#executor?.nameSequences()
  }

  async beginTerm(term: number): Promise<Entry> {
    this.#executor = undefined
    const session = await this.#applySession()
    const { last } = this.#end
    const outcome = { status: 200, changes: '[]', result: '[]' }
    const entry = { index: last.index + 1, term, requestId: '', commandHash: '', ...outcome }
    const first = { ...entry, checksum: checksumOf(last.checksum, entry) }
    await session.exclusive(() =>
      session.transaction(async () => {
        const { connection } = session
        const begun = connection.must([{ sql: 'begin' }])
        const [raised] = await Promise.all([connection.rows(BEGIN_TERM, [String(term)]), begun])
        if (raised.length === 0) throw new TermRaisedError('this term is known here already')
        session.checkCancelled()
        const append = { sql: APPEND, values: appendValues([first]) }
        const { error } = await session.commit([append, { sql: 'commit' }], false)
        if (error !== undefined) throw lostTo(error)
      })
    )
    this.#end.last = positionOf(first)
    this.#end.memory = { ...this.#end.memory, term, stateVersion: 0 }
    return first
  }

  async apply(entries: readonly Entry[], term: number): Promise<void> {
    this.#executor = undefined
    this.#applier ??= await Applier.open(await this.#applySession(), {
      log: this.#end,
      secret: this.#options.secret
    })
    await this.#applier.apply(entries, term)
    this.verified = this.#applier.verified ?? this.verified
  }

  entriesAfter(
    index: number,
    maxBytes: number
  ): Promise<{ readonly prev: Position; readonly entries: readonly Entry[] } | 'pruned'> {
    return this.#log.entriesAfter(index, maxBytes)
  }

  checksumAt(index: number): Promise<string | undefined> {
    return this.#log.checksumAt(index)
  }

  read(reads: readonly ReadCommand[], begins?: () => Promise<void>): Promise<ReadResult>[] {
    return this.#readers.read(reads, begins)
  }

  isWell(): Promise<boolean> {
    return this.#readers.isWell()
  }

  dependence(sql: string): Promise<ReadResult> {
    return this.#analyst.dependenceOf(sql)
  }

  resizeReaders(max: number): Promise<void> {
    return this.#readers.resize(max)
  }

  outcome(requestId: string): Promise<{ index: number; answer: Answer } | undefined> {
    return this.#log.outcome(requestId)
  }

  begun(): Promise<string[]> {
    return this.#log.begun()
  }

  prune(keepAfter: number): Promise<void> {
    return this.#log.prune(keepAfter)
  }

  senders(): Promise<readonly Sender[]> {
    return sendersOf(this.#keeper)
  }

  endCopy(copy: Leftover): Promise<void> {
    return endCopy(this.#keeper, copy)
  }

  async cancel(): Promise<void> {
    const sessions = await Promise.all(this.#sessions.values())
    await Promise.all(sessions.map(session => session.cancel()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync()
  }

  async #openExecutor(): Promise<Executor> {
    const { writeTimeoutMs, lockTimeoutMs } = this.#limits
    const timeouts = { statementTimeoutMs: writeTimeoutMs, lockTimeoutMs }
    const session = await this.#session('convoy_app', timeouts)
    const { secret, leastMode } = this.#options
    const isWell = () => this.#log.isWell()
    const options = { secret, limits: this.#limits, log: this.#end, isWell, leastMode }
    return Executor.open(session, options)
  }

  async #applySession(): Promise<Session> {
    return this.#session('convoy_apply', {})
  }

  #session(user: string, timeouts: Partial<ConnectOptions>): Promise<Session> {
    const known = this.#sessions.get(user)
    if (known !== undefined) return known
    const session = this.#openSession(user, timeouts)
    this.#sessions.set(user, session)
    return session
  }

  async #openSession(user: string, timeouts: Partial<ConnectOptions>): Promise<Session> {
    const connection = await Connection.open(this.#connect(user, timeouts))
    const stepTimeoutMs = timeouts.statementTimeoutMs ?? Number.POSITIVE_INFINITY
    const session = this.#opened.use(new Session(connection, stepTimeoutMs))
    this.#open.push(session)
    if (user === 'convoy_apply') {
      // It takes what a master could commit: to run out of memory here would be a divergence.
      await this.#options.server.exempt(connection.pid)
      await connection.must(APPLY_SETTINGS.map(sql => ({ sql })))
    }
    return session
  }

  #connect(user: string, timeouts: Partial<ConnectOptions>): ConnectOptions {
    return { ...placeOf(this.#options), user, ...timeouts }
  }
}
