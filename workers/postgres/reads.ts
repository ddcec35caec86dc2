/**
 * Users' reads, over a few connections that they share. Several that wait go into one
 * read-only snapshot, which tells the applied index before any SQL of theirs runs
 * (from then on no statement can make it a writing one). One that fails ends the
 * transaction; those behind it are run again in a new one.
 */
import type { ReadCommand } from '../../platform/wire/requests.ts'
import type { Answer, ReadResult } from '../store.ts'
import { Connection, type ConnectOptions, type Outcome, type Step } from './connection.ts'
import { JsonRows } from './encode.ts'
import type { Limits } from './limits.ts'
import { notAllowed, type Refusal, refusal, refusalOf } from './refusals.ts'
import { isContended, isDiskFull, isStale } from './sql-error.ts'
import { Statements } from './statements.ts'
import { paramText } from './text.ts'
import { TypeNames } from './type-names.ts'

const BEGIN = 'begin isolation level repeatable read read only'
const APPLIED = 'select index from convoy.log_end'
const COMMIT = 'commit'
const NO_ROOM = { message: 'no room on the disk of this worker for what the read needs' }
const OWN_TEXTS = [BEGIN, APPLIED, COMMIT]
/** Whatever else admission let through may have left its mark on the connection. */
const ALLOWED_TAG = /^(SELECT|EXPLAIN|SHOW)\b/
/** Reads of one snapshot: more would make the first wait for the last. */
const TOGETHER_MAX = 16

interface Waiting {
  readonly read: ReadCommand
  readonly done: PromiseWithResolvers<ReadResult>
}

interface Sent {
  readonly step: Step
  readonly outcome: Promise<Outcome>
  readonly rows: JsonRows
}

export interface ReaderOptions {
  readonly connect: ConnectOptions
  readonly limits: Limits
  readonly workerId: string
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
    const waiting = reads.map(read => ({ read, done: Promise.withResolvers<ReadResult>() }))
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

  private constructor(connection: Connection, options: ReaderOptions) {
    this.#connection = connection
    this.#options = options
    this.#statements = new Statements(connection)
    this.#types = new TypeNames(connection)
    for (const sql of OWN_TEXTS) this.#statements.keep(sql)
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
    const { opened, sent } = this.#connection.together(() => ({
      opened: this.#connection.must([
        this.#statements.step(BEGIN),
        this.#statements.step(APPLIED, [], sink)
      ]),
      sent: waiting.map(({ read }) => this.#send(read)),
      ended: this.#connection.run([this.#statements.step(COMMIT)])
    }))
    await opened
    for (const [at, { read, done }] of waiting.entries()) {
      const one = sent[at] as Sent
      const { error } = await one.outcome
      if (error !== undefined && (isContended(error) || isStale(one.step, error))) {
        this.#statements.clear()
        return waiting.slice(at)
      }
      const answer = await this.#answerOf(one, applied)
      done.resolve({ applied, answer })
      if (answer.status !== 200) return waiting.slice(at + 1)
      this.#statements.ran(read.sql)
    }
    return []
  }

  #send(read: ReadCommand): Sent {
    const { maxReadBytes, maxReadRows } = this.#options.limits
    const rows = new JsonRows({ maxBytes: maxReadBytes, maxRows: maxReadRows }, () => {
      this.isSpent = true
      void this.#connection.cancel()
    })
    const values = read.params.map(paramText)
    const step = { ...this.#statements.step(read.sql, values, rows), isUsers: true }
    return { rows, step, outcome: this.#connection.run([step]) }
  }

  async #answerOf({ outcome, rows }: Sent, applied: number): Promise<Answer | Refusal> {
    const { error, tags } = await outcome
    if (rows.overflown) {
      const { maxReadBytes, maxReadRows } = this.#options.limits
      const message = `the result is larger than ${maxReadRows} rows or ${maxReadBytes} bytes`
      return refusal(413, 'CONVOY_RESULT_TOO_LARGE', { message })
    }
    // By its own temporary files, perhaps: it must not go from one worker to the next.
    if (error && isDiskFull(error)) return refusal(503, 'CONVOY_OVERLOADED', NO_ROOM)
    if (error !== undefined) return refusalOf(error)
    if (!ALLOWED_TAG.test(tags[0] ?? '')) {
      this.isSpent = true
      return notAllowed(tags[0] ?? 'this')
    }
    const types = await this.#types.of(rows.columns.map(column => column.dataTypeID))
    const fields = rows.columns.map(({ name }, i) => ({ name, type: types[i] }))
    const head = JSON.stringify({ index: applied, workerId: this.#options.workerId, fields })
    return { status: 200, body: `${head.slice(0, -1)},"rows":${rows.json}}` }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }
}
