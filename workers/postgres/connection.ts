/**
 * A pipelined connection to the worker's PostgreSQL. An exchange is a number of
 * steps that end with one Sync: the first that fails ends it, and exchanges behind
 * it are not held up. Texts of steps go to PostgreSQL one statement at a time (the
 * extended protocol refuses more), values beside them.
 *
 * Invariant: a SQL error is an answer, a lost connection a rejection (ConnectionLostError).
 */
import { connect } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { StoreLostError } from '../store.ts'
import { Exchange, type Message, type Wire } from './exchange.ts'
import { BoundedSocket } from './message-bound.ts'
import { lostTo } from './sql-error.ts'
import type { Outcome, Sink, SqlError, Step } from './steps.ts'

/** The connection ended. PostgreSQL may be there again in a moment; see survival.ts. */
export class ConnectionLostError extends StoreLostError {
  /** Of PostgreSQL's process at the other end; 0 when there was none yet. */
  readonly pid: number

  constructor(message: string, how: { pid: number; cause: unknown }) {
    super(message, how.cause)
    this.pid = how.pid
  }
}

/** What a connection is doing. */
export interface Running {
  /** Since then no step has ended. */
  readonly sinceMs: number
  /** When a request to cancel it was sent first, if one was. */
  readonly cancelledMs: number | undefined
  /** Texts of users' statements that are under way, or wait behind it. */
  readonly users: readonly string[]
}

export interface ConnectOptions {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  readonly statementTimeoutMs?: number
  readonly lockTimeoutMs?: number
  /** Longer messages are not kept in memory; see message-bound.ts. */
  readonly messageBytesMax?: number
  /** Told the detail of each notice. */
  readonly noticed?: (detail: string) => void
  /** Told of the connection when it is open: somebody watches it. */
  readonly opened?: (connection: Connection) => void
}

const DATABASE = 'postgres'
const CANCEL_REQUEST = 80_877_102

export class Connection implements AsyncDisposable {
  readonly #client: pg.Client
  readonly #options: ConnectOptions
  /** Aborted, with the reason, when the connection ends without being asked to. */
  readonly lost: AbortSignal
  /** Exchanges without an answer, and when the last step of any of them ended. */
  readonly #unanswered = new Set<Exchange>()
  #heardMs = 0
  #cancelledMs: number | undefined
  #closed = false
  /** What is answered for the statement that a frozen process is at. */
  #abandoned: SqlError | undefined
  #abandonedAt: string | undefined

  private constructor(client: pg.Client, options: ConnectOptions, lost: AbortSignal) {
    this.#client = client
    this.#options = options
    this.lost = lost
  }

  static async open(options: ConnectOptions): Promise<Connection> {
    const client = new pg.Client({
      host: options.socketDir,
      port: options.port,
      user: options.user,
      // Trusted by the socket; without a value pg would look for a password file.
      password: '',
      database: DATABASE,
      pipeline: true,
      stream: () => new BoundedSocket(options.messageBytesMax ?? Number.POSITIVE_INFINITY),
      connectionTimeoutMillis: 10_000,
      statement_timeout: options.statementTimeoutMs ?? 0,
      lock_timeout: options.lockTimeoutMs ?? 0
    })
    const lost = new AbortController()
    client.on('error', err => lost.abort(err))
    if (options.noticed) client.on('notice', ({ detail }) => options.noticed?.(detail ?? ''))
    try {
      await client.connect()
    } catch (cause) {
      throw new ConnectionLostError('no connection to PostgreSQL', { pid: 0, cause })
    }
    const connection = new Connection(client, options, lost.signal)
    options.opened?.(connection)
    return connection
  }

  /**
   * Sends the steps at once; see Outcome for how they may end.
   * @param heard called as each step ends well, with its tag
   */
  run(steps: readonly Step[], heard?: (tag: string) => void): Promise<Outcome> {
    return this.#send({ kind: 'steps', steps }, heard)
  }

  /** Of PostgreSQL's process at the other end. */
  get pid(): number {
    return (this.#client as unknown as Record<string, number>)['processID'] ?? 0
  }

  /** How long one step has been under way; 0 when nothing is. */
  get silentMs(): number {
    return this.#unanswered.size === 0 ? 0 : performance.now() - this.#heardMs
  }

  /** Whether its process was left to itself, at one of the statements that were under way. */
  get isAbandoned(): boolean {
    return this.#abandonedAt !== undefined
  }

  get abandonedAt(): string | undefined {
    return this.#abandonedAt
  }

  get isOpen(): boolean {
    return !this.#closed && !this.lost.aborted
  }

  /** Undefined when it is idle. */
  get running(): Running | undefined {
    if (this.#unanswered.size === 0) return undefined
    const users = [...this.#unanswered].flatMap(exchange => exchange.users)
    return { sinceMs: this.#heardMs, cancelledMs: this.#cancelledMs, users }
  }

  /** Lets go of a process that will not answer: `error` stands for the user's statement it is at. */
  abandon(error: SqlError, sql: string): void {
    this.#abandoned = error
    this.#abandonedAt = sql
    this.drop()
  }

  /** Ends it without a word to PostgreSQL; what is under way is lost. */
  drop(): void {
    const { stream } = this.#client.connection as unknown as { stream: { destroy(): void } }
    stream.destroy()
  }

  /** Like `run`, for what must work: @throws StoreLostError on any error */
  async must(steps: readonly Step[]): Promise<void> {
    const { error } = await this.run(steps)
    if (error !== undefined) throw lostTo(error)
  }

  /** Like `must`, and collects the rows of a single step. */
  async rows(sql: string, values: readonly (string | null)[] = []): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = []
    const sink = { fields: () => undefined, row: (row: (string | null)[]) => rows.push(row) }
    await this.must([{ sql, values, sink: sink as Sink }])
    return rows
  }

  /** An error shows when the statement is run, as one that is not known. */
  prepare(name: string, sql: string): void {
    void this.#send({ kind: 'prepare', name, sql })
  }

  forget(name: string): void {
    void this.#send({ kind: 'forget', name, sql: '' })
  }

  /** What `send` hands over leaves in one write. */
  together<T>(send: () => T): T {
    const { stream } = this.#client.connection as unknown as Wire
    stream.cork()
    try {
      return send()
    } finally {
      stream.uncork()
    }
  }

  /** Asks PostgreSQL to end what runs now; the request may come too late, or hit what comes next. */
  async cancel(): Promise<void> {
    this.#cancelledMs ??= performance.now()
    const { secretKey } = this.#client as unknown as Record<string, number>
    const request = Buffer.alloc(16)
    for (const [i, value] of [16, CANCEL_REQUEST, this.pid].entries()) {
      request.writeInt32BE(value, 4 * i)
    }
    request.writeInt32BE((secretKey ?? 0) | 0, 12)
    const path = join(this.#options.socketDir, `.s.PGSQL.${this.#options.port}`)
    const closed = Promise.withResolvers<void>()
    const socket = connect(path, () => socket.write(request))
    socket.resume().once('close', closed.resolve).once('error', closed.resolve)
    await closed.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#client.end().catch(() => undefined)
  }

  #send(message: Message, heard: (tag: string) => void = () => {}): Promise<Outcome> {
    const exchange = new Exchange(message, {
      heard: tag => {
        this.#heardMs = performance.now()
        heard(tag)
      },
      lost: (ended, cause) => this.#lostTo(ended, cause)
    })
    if (this.#unanswered.size === 0) {
      this.#heardMs = performance.now()
      this.#cancelledMs = undefined
    }
    this.#unanswered.add(exchange)
    this.#client.query(exchange)
    const answered = () => this.#unanswered.delete(exchange)
    // Whoever sends many awaits them in turn; a later one's rejection is not unhandled.
    exchange.outcome.then(answered, answered)
    return exchange.outcome
  }

  #lostTo(exchange: Exchange, cause: Error): SqlError | ConnectionLostError {
    const abandoned = this.#abandoned
    if (abandoned === undefined || exchange.users.length === 0) {
      return new ConnectionLostError('the connection to PostgreSQL is lost', {
        pid: this.pid,
        cause
      })
    }
    this.#abandoned = undefined
    return abandoned
  }
}
