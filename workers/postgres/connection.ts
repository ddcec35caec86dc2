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
import { lostTo, type SqlError } from './sql-error.ts'

export interface Field {
  readonly name: string
  readonly dataTypeID: number
}

/** Takes what one step returns, row by row; `rows` are PostgreSQL's own texts. */
export interface Sink {
  fields(fields: readonly Field[]): void
  row(values: readonly (string | null)[]): void
}

/** Of a parameter: its text, or its binary form. */
export type Value = string | Buffer | null

export interface Step {
  /** A statement that `prepare` has made known by this name, or a text. */
  readonly name?: string
  readonly sql: string
  readonly values?: readonly Value[]
  readonly sink?: Sink
  /** Its end is to be heard at once, and not only with that of the exchange. */
  readonly tellsEnd?: boolean
  /** A user's: it may be a COPY, which would take what follows for its data. */
  readonly isUsers?: boolean
}

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

/** The tags (`INSERT 0 5`) of the steps that ended well, and the error of the one that did not. */
export interface Outcome {
  readonly tags: readonly string[]
  readonly error?: SqlError
}

export interface ConnectOptions {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  readonly statementTimeoutMs?: number
  readonly lockTimeoutMs?: number
  /** Told the detail of each notice. */
  readonly noticed?: (detail: string) => void
  /** Told of the connection when it is open: somebody watches it. */
  readonly opened?: (connection: Connection) => void
}

const DATABASE = 'postgres'
const CANCEL_REQUEST = 80_877_102

/** The part of pg's connection that an exchange writes to. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void }
  parse(message: { name: string; text: string }): void
  bind(message: { statement: string; values: readonly Value[] }): void
  describe(message: { type: 'P' }): void
  execute(message: object): void
  flush(): void
  sendCopyFail(reason: string): void
  close(message: { type: 'S'; name: string }): void
  sync(): void
}

type Message =
  | { readonly kind: 'steps'; readonly steps: readonly Step[] }
  | { readonly kind: 'prepare' | 'forget'; readonly name: string; readonly sql: string }

/** One exchange; pg calls it back with what the server answers. */
class Exchange extends pg.Query {
  readonly outcome: Promise<Outcome>
  readonly #message: Message
  readonly #heard: (tag: string) => void
  readonly #lost: (exchange: Exchange, cause: Error) => SqlError | ConnectionLostError
  readonly #tags: string[] = []
  readonly #settle: PromiseWithResolvers<Outcome>

  /**
   * @param on.heard called as each step ends well, with its tag
   * @param on.lost says what the end of the connection means to this exchange
   */
  constructor(
    message: Message,
    on: {
      heard: (tag: string) => void
      lost: (exchange: Exchange, cause: Error) => SqlError | ConnectionLostError
    }
  ) {
    super('')
    this.#message = message
    this.#heard = on.heard
    this.#lost = on.lost
    this.#settle = Promise.withResolvers()
    this.outcome = this.#settle.promise
  }

  // A property, because pg's types declare one.
  override submit = (connection: pg.Connection): void => {
    const wire = connection as unknown as Wire
    const message = this.#message
    // Else each part would be a system call here, and wake PostgreSQL's process there.
    wire.stream.cork()
    if (message.kind === 'steps') for (const step of message.steps) sendStep(wire, step)
    else if (message.kind === 'prepare') wire.parse({ name: message.name, text: message.sql })
    else wire.close({ type: 'S', name: message.name })
    wire.sync()
    wire.stream.uncork()
  }

  /** Texts of users' statements that have not ended, as far as is known. */
  get users(): readonly string[] {
    if (this.#message.kind !== 'steps') return []
    const left = this.#message.steps.slice(this.#tags.length)
    return left.flatMap(({ isUsers, sql }) => (isUsers ? [sql] : []))
  }

  get #sink(): Sink | undefined {
    if (this.#message.kind !== 'steps') return undefined
    return this.#message.steps[this.#tags.length]?.sink
  }

  handleRowDescription(message: { fields: Field[] }): void {
    this.#sink?.fields(message.fields)
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#sink?.row(message.fields)
  }

  handleCommandComplete(message: { text: string }): void {
    this.#tags.push(message.text)
    this.#heard(message.text)
  }

  handleEmptyQuery(): void {
    this.#tags.push('')
    this.#heard('')
  }

  /** What ends the COPY with an error is on its way already: see sendStep. */
  handleCopyInResponse(): void {}

  handleError(error: Error): void {
    if (error instanceof pg.DatabaseError && (error.severity ?? 'ERROR') === 'ERROR') {
      this.#settle.resolve({ tags: this.#tags, error: sqlError(error) })
      return
    }
    const lost = this.#lost(this, error)
    if (lost instanceof Error) this.#settle.reject(lost)
    else this.#settle.resolve({ tags: this.#tags, error: lost })
  }

  handleReadyForQuery(): void {
    this.#settle.resolve({ tags: this.#tags })
  }
}

function sendStep(wire: Wire, step: Step): void {
  if (step.name === undefined) wire.parse({ name: '', text: step.sql })
  wire.bind({ statement: step.name ?? '', values: step.values ?? [] })
  if (step.sink !== undefined) wire.describe({ type: 'P' })
  wire.execute({})
  if (step.tellsEnd) wire.flush()
  // Ignored where nothing is being copied.
  if (step.isUsers) wire.sendCopyFail('COPY is not allowed')
}

function sqlError(error: pg.DatabaseError): SqlError {
  return {
    sqlstate: error.code ?? 'XX000',
    message: error.message,
    position: error.position === undefined ? undefined : Number(error.position),
    constraint: error.constraint,
    hint: error.hint,
    severity: error.severity ?? 'ERROR'
  }
}

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
