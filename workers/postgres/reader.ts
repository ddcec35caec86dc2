/**
 * One connection that runs users' reads. Those of one exchange share one transaction, by the
 * defaults of the role a read-only snapshot, which tells the applied index before any SQL of
 * theirs runs (from then on no statement can make it a writing one). One that fails ends the
 * transaction; those behind it are left, to be run again in a new one.
 */
import { constants, setPriority } from 'node:os'
import type { ReadCommand } from '../../wire/requests.ts'
import { type ReadResult, StoreLostError } from '../store.ts'
import { Connection, type ConnectOptions } from './connection.ts'
import { JsonRows } from './encode.ts'
import type { Limits } from './limits.ts'
import type { Scheduled } from './read-schedule.ts'
import { notAllowed, type Refusal, refusal, refusalOf } from './refusals.ts'
import {
  isContended,
  isDiskFull,
  isStale,
  lostTo,
  mayBeCatalogRace,
  OUT_OF_MEMORY,
  verdictOf
} from './sql-error.ts'
import { Statements } from './statements.ts'
import type { Outcome, SqlError, Step } from './steps.ts'
import { paramText } from './text.ts'
import { TypeNames } from './type-names.ts'

const LOG_END = 'select index from convoy.log_end'
const NO_ROOM = { message: 'no room on the disk of this worker for what the read needs' }
/** Whatever else admission let through may have left its mark on the connection. */
const ALLOWED_TAG = /^(SELECT|EXPLAIN|SHOW)\b/
/** What was in a read's way may be gone in a new snapshot; whatever fails so often fails by itself. */
const TRIES_MAX = 3
const RACE_TRIES_MAX = 2
/** Each of them in another session, until one is new. */
const MEMORY_TRIES_MAX = 10
const CANCELLED = '57014'

export interface Waiting extends Scheduled {
  readonly read: ReadCommand
  readonly done: PromiseWithResolvers<ReadResult>
  /** Somebody waits for this one and those before it, and for no later one. */
  readonly isLast: boolean
  /** Times that it has failed by what may have been in its way. */
  readonly tries: number
  /** Times that it was cut off, for it lasted. */
  readonly cuts: number
  /** By `performance.now()`; nobody waits any longer. */
  readonly deadlineMs: number
  /** By then it has its answer, so that this arrives before the deadline. */
  readonly dueMs: number
  /** Before it is executed. */
  readonly begins?: (() => Promise<void>) | undefined
}

interface Sent extends Waiting {
  readonly step: Step
  readonly rows: JsonRows
}

/** What an exchange leaves: nobody has been told of these. */
export interface Left {
  /** Cut off by `stop` while it ran. */
  readonly cut?: Waiting | undefined
  /** Not run, or to be run once more. */
  readonly behind: readonly Waiting[]
}

export interface ReaderOptions {
  readonly connect: ConnectOptions
  readonly limits: Limits
  readonly workerId: string
  /** Whether the server answers on another connection. */
  readonly isWell: () => Promise<boolean>
  /**
   * Returns when a restart of PostgreSQL that goes on is over, and at once when there is none.
   * @throws StoreLostError when it is lost
   */
  readonly untilOpen: () => Promise<void>
  /** Whether a connection was lost by no fault of what ran on it. */
  readonly isInnocent: (cause: unknown) => Promise<boolean>
}

/** The connection has ended, which need not mean that the server has. Some reads had no answer. */
export class ReaderLostError extends StoreLostError {
  readonly unheard: readonly Waiting[]

  constructor(unheard: readonly Waiting[], cause: unknown) {
    super('a connection that reads is lost', cause)
    this.unheard = unheard
  }
}

export class Reader implements AsyncDisposable {
  readonly #connection: Connection
  readonly #statements: Statements
  readonly #options: ReaderOptions
  readonly #types: TypeNames
  /** Not to be used again. One reason: a request to cancel may yet hit whatever runs next. */
  isSpent = false
  /** Of low priority. */
  isYielding = false
  #hasAnswered = false
  #beganMs = 0
  #size = 1
  #stopping = false

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

  get isOpen(): boolean {
    return this.#connection.isOpen
  }

  /** Runs with what is left of the machine; for good, since priority cannot be raised again. */
  yieldToOthers(): void {
    this.isYielding = true
    try {
      setPriority(this.#connection.pid, constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // It has ended, or this system has no priorities.
    }
  }

  /** Cuts off what runs now. What has no answer by then is left. */
  stop(): void {
    this.#stopping = true
    this.isSpent = true
    void this.#connection.cancel()
  }

  /**
   * Answers reads in one snapshot, up to the first that fails.
   * @throws ReaderLostError with those that have no answer
   */
  async answer(waiting: readonly Waiting[]): Promise<Left> {
    this.#statements.prepare(waiting.map(({ read }) => read.sql))
    this.#beganMs = performance.now()
    this.#size = waiting.length
    let applied = 0
    const sink = {
      fields: () => undefined,
      row: ([index]: readonly (string | null)[]) => {
        applied = Number(index)
      }
    }
    const sent = waiting.map((one, at) => this.#stepOf(one, at === waiting.length - 1))
    const steps = [this.#statements.step(LOG_END, [], sink), ...sent.map(({ step }) => step)]
    const telling: { readonly one: Sent; readonly told: Promise<void> }[] = []
    let ended = -1 // The first to end is Convoy's own.
    let refused: Refusal | undefined
    const heard = (tag: string) => {
      const one = refused === undefined ? sent[ended] : undefined
      if (refused === undefined) ended += 1
      if (one === undefined) return
      refused = this.#refusalOf(one, tag)
      if (refused !== undefined) this.#done(one, { applied, answer: refused })
      else {
        const told = this.#tell(one, applied)
        // Where the connection ends nobody may be there to await it.
        told.catch(() => undefined)
        telling.push({ one, told })
      }
    }
    /** Also those that ended, but whose answers were not complete when the connection did. */
    const unheard = async () => {
      const told = await Promise.allSettled(telling.map(({ told }) => told))
      const untold = telling.filter((_, i) => told[i]?.status === 'rejected')
      return [...untold.map(({ one }) => one), ...sent.slice(Math.max(0, ended))]
    }
    const { error } = await this.#run(steps, heard, unheard)
    if (error !== undefined && this.#connection.abandonedAt !== undefined) {
      return this.#abandoned(error, await unheard())
    }
    await Promise.all(telling.map(({ told }) => told)).catch(async cause => {
      throw new ReaderLostError(await unheard(), cause)
    })
    const behind = sent.slice(Math.max(0, ended))
    if (error === undefined || refused !== undefined) {
      this.#hasAnswered = true
      return { behind }
    }
    return ended < 0 ? this.#failedEarly(error, behind) : this.#failed(error, behind, applied)
  }

  async #run(
    steps: readonly Step[],
    heard: (tag: string) => void,
    unheard: () => Promise<readonly Waiting[]>
  ): Promise<Outcome> {
    const run = this.#connection.together(() => this.#connection.run(steps, heard))
    const outcome = await run.catch(async cause => {
      throw new ReaderLostError(await unheard(), cause)
    })
    const { error } = outcome
    if (error === undefined || error.severity === 'ERROR') return outcome
    throw new ReaderLostError(await unheard(), lostTo(error))
  }

  /**
   * Its process was left to itself at a statement that cannot be interrupted. Ends of steps are
   * heard of late: where several have this text, the one to blame shows when each runs by itself.
   */
  #abandoned(error: SqlError, left: readonly Sent[]): Left {
    this.isSpent = true
    const [culprit, ...others] = left.filter(
      ({ read }) => read.sql === this.#connection.abandonedAt
    )
    if (culprit === undefined || others.length > 0) {
      return { behind: left.map(one => ({ ...one, pace: 'unknown' as const })) }
    }
    this.#done(culprit, { applied: 0, answer: this.#failure(culprit, error) })
    return { behind: left.filter(one => one !== culprit) }
  }

  /** Convoy's own statement did. */
  #failedEarly(error: SqlError, behind: readonly Waiting[]): Left {
    // What ran before may have left its mark on the connection.
    if (!this.#stopping && (!this.#hasAnswered || isDiskFull(error))) throw lostTo(error)
    this.isSpent = true
    return { behind }
  }

  async #failed(
    error: SqlError,
    [failed, ...behind]: readonly Sent[],
    applied: number
  ): Promise<Left> {
    const isUsed = this.#hasAnswered || behind.length + 1 < this.#size
    this.#hasAnswered = true
    if (failed === undefined) return { behind }
    const wasCut = this.#stopping && error.sqlstate === CANCELLED && !failed.rows.overflown
    if (wasCut) return { cut: failed, behind }
    const lacksMemory = isUsed && mayLackMemory(failed, error)
    if (lacksMemory) this.isSpent = true
    if (lacksMemory || mayPass(failed, error)) {
      this.#statements.clear()
      return { behind: [{ ...failed, tries: failed.tries + 1 }, ...behind] }
    }
    const answer = this.#failure(failed, error)
    if (verdictOf(error) === 'doubtful' && !(await this.#options.isWell())) throw lostTo(error)
    this.#done(failed, { applied, answer })
    return { behind }
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

  async #tell(one: Sent, applied: number): Promise<void> {
    const { read, rows } = one
    const types = await this.#types.of(rows.columns.map(column => column.dataTypeID))
    const fields = rows.columns.map(({ name }, i) => ({ name, type: types[i] }))
    const head = JSON.stringify({ index: applied, workerId: this.#options.workerId, fields })
    const body = `${head.slice(0, -1)},"rows":${rows.json}}`
    this.#done(one, { applied, answer: { status: 200, body } })
    this.#statements.ran(read.sql)
  }

  /** Only the time of the whole exchange is known. */
  #done({ done }: Waiting, result: Omit<ReadResult, 'tookMs'>): void {
    done.resolve({ ...result, tookMs: (performance.now() - this.#beganMs) / this.#size })
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

/** Plans of other clients' reads may be what takes the memory of the session. */
const mayLackMemory = ({ rows, tries }: Sent, { sqlstate }: SqlError): boolean =>
  sqlstate === OUT_OF_MEMORY && !rows.overflown && tries < MEMORY_TRIES_MAX
