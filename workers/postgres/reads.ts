/**
 * Users' reads, over a few connections that they share. Several that wait go into one
 * exchange, which is one transaction, and by the defaults of the role that reads a read-only
 * snapshot. It tells the applied index before any SQL of theirs runs (from then on no
 * statement can make it a writing one). One that fails ends the transaction; those behind it
 * are run again in a new one.
 */
import type { ReadCommand } from '../../platform/wire/requests.ts'
import type { ReadResult } from '../store.ts'
import { Connection, type ConnectOptions, type Step } from './connection.ts'
import { JsonRows } from './encode.ts'
import type { Limits } from './limits.ts'
import { notAllowed, type Refusal, refusal, refusalOf } from './refusals.ts'
import {
  isContended,
  isDiskFull,
  isStale,
  lostTo,
  mayBeCatalogRace,
  type SqlError,
  verdictOf
} from './sql-error.ts'
import { Statements } from './statements.ts'
import { paramText } from './text.ts'
import { TypeNames } from './type-names.ts'

const LOG_END = 'select index from convoy.log_end'
const NO_ROOM = { message: 'no room on the disk of this worker for what the read needs' }
/** Whatever else admission let through may have left its mark on the connection. */
const ALLOWED_TAG = /^(SELECT|EXPLAIN|SHOW)\b/
/** What was in a read's way may be gone in a new snapshot; whatever fails so often fails by itself. */
const TRIES_MAX = 3
const RACE_TRIES_MAX = 2
/** Reads of one snapshot: more would make the first wait for the last. */
const TOGETHER_MAX = 16

interface Waiting {
  readonly read: ReadCommand
  readonly done: PromiseWithResolvers<ReadResult>
  /** Somebody waits for this one and those before it, and for no later one. */
  readonly isLast: boolean
  /** Times that it has failed by what may have been in its way. */
  readonly tries: number
}

interface Sent extends Waiting {
  readonly step: Step
  readonly rows: JsonRows
}

export interface ReaderOptions {
  readonly connect: ConnectOptions
  readonly limits: Limits
  readonly workerId: string
  /** Whether the server answers on another connection. */
  readonly isWell: () => Promise<boolean>
}

export class Readers implements AsyncDisposable {
  readonly #options: ReaderOptions
  readonly #waiting: Waiting[] = []
  readonly #idle: Reader[] = []
  #open = 0
  #max: number
  #closed = false

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#max = options.limits.readers
  }

  /** More are opened when they are needed; those too many are closed when they are idle. */
  async resize(max: number): Promise<void> {
    this.#max = max
    this.#serve()
    const tooMany = this.#idle.splice(0, Math.max(0, this.#open - max))
    this.#open -= tooMany.length
    await Promise.all(tooMany.map(reader => reader[Symbol.asyncDispose]()))
  }

  read(reads: readonly ReadCommand[]): Promise<ReadResult[]> {
    const waiting = reads.map((read, at) => ({
      read,
      done: Promise.withResolvers<ReadResult>(),
      isLast: at === reads.length - 1,
      tries: 0
    }))
    this.#waiting.push(...waiting)
    this.#serve()
    return Promise.all(waiting.map(({ done }) => done.promise))
  }

  /** Gives what waits to idle connections, and opens further ones up to the limit. */
  #serve(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const idle = this.#idle.pop()
      if (idle === undefined && this.#open >= this.#max) return
      if (idle === undefined) this.#open += 1
      void this.#run(idle, this.#waiting.splice(0, TOGETHER_MAX))
    }
  }

  async #run(idle: Reader | undefined, waiting: readonly Waiting[]): Promise<void> {
    try {
      const reader = idle ?? (await Reader.open(this.#options))
      this.#waiting.unshift(...(await reader.answer(waiting)))
      if (reader.isSpent || this.#open > this.#max) {
        this.#open -= 1
        await reader[Symbol.asyncDispose]()
      } else {
        this.#idle.push(reader)
      }
    } catch (err) {
      this.#open -= 1
      for (const { done } of waiting) done.reject(err)
    }
    this.#serve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all(this.#idle.splice(0).map(reader => reader[Symbol.asyncDispose]()))
  }
}

class Reader implements AsyncDisposable {
  readonly #connection: Connection
  readonly #statements: Statements
  readonly #options: ReaderOptions
  readonly #types: TypeNames
  /** Not to be used again. One reason: a request to cancel may yet hit whatever runs next. */
  isSpent = false
  #hasAnswered = false

  private constructor(connection: Connection, options: ReaderOptions) {
    this.#connection = connection
    this.#options = options
    this.#statements = new Statements(connection)
    this.#types = new TypeNames(connection)
    this.#statements.keep(LOG_END)
  }

  static async open(options: ReaderOptions): Promise<Reader> {
    return new Reader(await Connection.open(options.connect), options)
  }

  /** Answers reads in one snapshot, up to the first that fails; returns those behind it. */
  async answer(waiting: readonly Waiting[]): Promise<readonly Waiting[]> {
    this.#statements.prepare(waiting.map(({ read }) => read.sql))
    let applied = 0
    const sink = {
      fields: () => undefined,
      row: ([index]: readonly (string | null)[]) => {
        applied = Number(index)
      }
    }
    const sent = waiting.map((one, at) => this.#stepOf(one, at === waiting.length - 1))
    const steps = [this.#statements.step(LOG_END, [], sink), ...sent.map(({ step }) => step)]
    const telling: Promise<void>[] = []
    let ended = -1 // The first to end is Convoy's own.
    let stopped = false
    const heard = (tag: string) => {
      const one = stopped ? undefined : sent[ended]
      if (!stopped) ended += 1
      if (one === undefined) return
      const refused = this.#refusalOf(one, tag)
      stopped = refused !== undefined
      if (refused !== undefined) one.done.resolve({ applied, answer: refused })
      else telling.push(this.#tell(one, applied))
    }
    const { error } = await this.#connection.together(() => this.#connection.run(steps, heard))
    await Promise.all(telling)
    if (ended < 0 && error !== undefined) {
      // What ran before may have left its mark on the connection.
      if (!this.#hasAnswered || error.severity !== 'ERROR' || isDiskFull(error)) throw lostTo(error)
      this.isSpent = true
      return waiting
    }
    this.#hasAnswered = true
    const failed = sent[ended]
    if (error === undefined || failed === undefined || stopped) return sent.slice(ended)
    if (mayPass(failed, error)) {
      this.#statements.clear()
      return [{ ...failed, tries: failed.tries + 1 }, ...sent.slice(ended + 1)]
    }
    const answer = this.#failure(failed, error)
    if (verdictOf(error) === 'doubtful' && !(await this.#options.isWell())) throw lostTo(error)
    failed.done.resolve({ applied, answer })
    return sent.slice(ended + 1)
  }

  #stepOf(waiting: Waiting, isEnd: boolean): Sent {
    const { read, isLast } = waiting
    const { maxReadBytes, maxReadRows } = this.#options.limits
    const rows = new JsonRows({ maxBytes: maxReadBytes, maxRows: maxReadRows }, () => {
      this.isSpent = true
      void this.#connection.cancel()
    })
    const step = this.#statements.step(read.sql, read.params.map(paramText), rows)
    return { ...waiting, rows, step: { ...step, isUsers: true, tellsEnd: isLast && !isEnd } }
  }

  #refusalOf({ rows }: Sent, tag: string): Refusal | undefined {
    if (rows.overflown) return this.#tooLarge()
    if (ALLOWED_TAG.test(tag)) return undefined
    this.isSpent = true
    return notAllowed(tag)
  }

  #failure({ rows }: Sent, error: SqlError): Refusal {
    if (rows.overflown) return this.#tooLarge()
    // By its own temporary files, perhaps: it must not go from one worker to the next.
    if (isDiskFull(error)) return refusal(503, 'CONVOY_OVERLOADED', NO_ROOM)
    return refusalOf(error)
  }

  #tooLarge(): Refusal {
    const { maxReadBytes, maxReadRows } = this.#options.limits
    const message = `the result is larger than ${maxReadRows} rows or ${maxReadBytes} bytes`
    return refusal(413, 'CONVOY_RESULT_TOO_LARGE', { message })
  }

  async #tell({ read, rows, done }: Sent, applied: number): Promise<void> {
    const types = await this.#types.of(rows.columns.map(column => column.dataTypeID))
    const fields = rows.columns.map(({ name }, i) => ({ name, type: types[i] }))
    const head = JSON.stringify({ index: applied, workerId: this.#options.workerId, fields })
    const body = `${head.slice(0, -1)},"rows":${rows.json}}`
    done.resolve({ applied, answer: { status: 200, body } })
    this.#statements.ran(read.sql)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }
}

/** Whether to run it once more in a new snapshot, for its error may be no fault of its own. */
function mayPass({ step, tries }: Sent, error: SqlError): boolean {
  if (isStale(step, error)) return true
  return tries + 1 < (isContended(error) ? TRIES_MAX : mayBeCatalogRace(error) ? RACE_TRIES_MAX : 0)
}
