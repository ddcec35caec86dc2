/**
 * One exchange with PostgreSQL: a number of steps that end with one Sync. pg calls it back with
 * what the server answers; each row goes to the sink of the step that is under way.
 *
 * Invariant: a row that was too long (message-bound.ts) is never left out silently: its sink
 * is told, or the exchange fails.
 */
import pg from 'pg'
import { isCutRow } from './message-bound.ts'
import { TOO_LARGE } from './sql-error.ts'
import type { Field, Outcome, Sink, SqlError, Step, Value } from './steps.ts'

/** Of a row's message, and of each value in it, besides the value itself. */
const ROW_BYTES = 6
const VALUE_BYTES = 4
/** A row of Convoy's own statements is so long only by what a command has changed. */
const TOO_LONG: SqlError = {
  sqlstate: TOO_LARGE,
  message: 'the command changes more than an entry may hold',
  position: undefined,
  constraint: undefined,
  hint: undefined,
  severity: 'ERROR'
}

/** The part of pg's connection that an exchange writes to. */
export interface Wire {
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

export type Message =
  | { readonly kind: 'steps'; readonly steps: readonly Step[] }
  | { readonly kind: 'prepare' | 'forget'; readonly name: string; readonly sql: string }

export class Exchange extends pg.Query {
  readonly outcome: Promise<Outcome>
  readonly #message: Message
  readonly #heard: (tag: string) => void
  readonly #lost: (exchange: Exchange, cause: Error) => SqlError | Error
  readonly #tags: string[] = []
  /** Of a step whose sink takes no row that was too long; what follows it is not told. */
  #tooLong: Outcome | undefined
  readonly #settle: PromiseWithResolvers<Outcome>

  /**
   * @param on.heard called as each step ends well, with its tag
   * @param on.lost says what the end of the connection means to this exchange
   */
  constructor(
    message: Message,
    on: {
      heard: (tag: string) => void
      lost: (exchange: Exchange, cause: Error) => SqlError | Error
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

  handleDataRow(message: { fields: (string | null)[]; length: number }): void {
    const { fields, length } = message
    if (isCutRow(fields)) this.#cutRow()
    else this.#sink?.row(fields, length - ROW_BYTES - VALUE_BYTES * fields.length)
  }

  #cutRow(): void {
    const sink = this.#sink
    if (sink?.cutRow !== undefined) sink.cutRow()
    else if (sink !== undefined) this.#tooLong ??= { tags: [...this.#tags], error: TOO_LONG }
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
      this.#settle.resolve(this.#tooLong ?? { tags: this.#tags, error: sqlError(error) })
      return
    }
    const lost = this.#lost(this, error)
    if (lost instanceof Error) this.#settle.reject(lost)
    else this.#settle.resolve({ tags: this.#tags, error: lost })
  }

  handleReadyForQuery(): void {
    this.#settle.resolve(this.#tooLong ?? { tags: this.#tags })
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
