/**
 * Keeps a worker's database in use while PostgreSQL restarts its processes: it does so whenever
 * one of them crashes or is killed, and takes connections again within about a second. Nothing
 * that was committed is lost by it, and nothing else stays.
 *
 * Invariants: a new life begins only when no process of the old one is left, so that the end of
 * the log is final; it begins only where the log and the memory still hold what the old one
 * knew. Where that cannot be, the database is lost (StoreLostError), and the worker ends.
 */
import type { Logger } from '../../platform/log.ts'
import { StoreLostError, WorkCancelledError } from '../store.ts'
import { type Connection, ConnectionLostError } from './connection.ts'
import { Life, type LifeOptions, readerConnect } from './life.ts'
import { Log, type LogEnd, readEnd } from './log.ts'
import { Readers } from './reads.ts'
import type { Blame } from './rerun.ts'
import type { ReportSink } from './verifier.ts'

/** For PostgreSQL to take connections again: it may have to repeat much of its log. */
const REOPEN_MS = 20_000
/** PostgreSQL logs each connection that comes too early. */
const POLL_MS = 200
/** Restarts that no statement explains, in so much time: something else is wrong. */
const UNEXPLAINED_MAX = 5
const UNEXPLAINED_MS = 60_000

export interface SurvivalOptions extends LifeOptions {
  readonly log?: Logger | undefined
}

/** What is to be done, and what to learn from a restart before it is done again. */
export interface Work<T> {
  attempt(life: Life): Promise<T>
  restarted(blame: Blame): Promise<void> | void
}

export class Survival implements AsyncDisposable {
  /** One object for ever: those who write keep it in step with the database. */
  readonly end: LogEnd
  /** Their queue outlives a restart. */
  readonly readers: Readers
  readonly #options: SurvivalOptions
  #life: Life
  #renewing: Promise<void> | undefined
  #cancels = 0
  #formerCommittedMs = 0
  #unexplainedMs: number[] = []
  /** Why there will be no other life. */
  #lost: unknown
  #sink: ReportSink = () => undefined
  #isClosed = false

  private constructor(options: SurvivalOptions, begun: { end: LogEnd; life: Life }) {
    this.#options = options
    this.end = begun.end
    this.#life = begun.life
    const { limits, workerId } = options
    this.readers = new Readers({
      ...{ limits, workerId, connect: readerConnect(options, opened => this.#watchReader(opened)) },
      isWell: () => this.survive(life => life.log.isWell()),
      untilOpen: () => this.#untilOpen(),
      isInnocent: cause => this.#isInnocent(cause)
    })
  }

  static async begin(options: SurvivalOptions): Promise<Survival> {
    let end: LogEnd | undefined
    const life = await Life.open(options, async keeper => {
      end = await readEnd(keeper)
      return end
    })
    if (end === undefined) throw new StoreLostError('the log has no end')
    return new Survival(options, { end, life })
  }

  #watchReader(connection: Connection): void {
    const life = this.#life
    life.guard.watch('reads', { limitMs: this.#options.limits.readTimeoutMs })(connection)
    connection.lost.addEventListener('abort', () => {
      if (connection.isAbandoned) return
      const cause = new ConnectionLostError('a reader is lost', {
        pid: connection.pid,
        cause: null
      })
      // Where it fails others hear of it: the worker asks its database all the time.
      this.renewed(life, cause).catch(() => undefined)
    })
  }

  async #untilOpen(): Promise<void> {
    await this.#renewing
    if (this.#lost !== undefined) throw this.#lost
  }

  /** Whether a connection was lost for another one's sake. */
  async #isInnocent(cause: unknown): Promise<boolean> {
    await this.#untilOpen()
    const { backends, isRunning } = this.#options.server
    return isRunning && cause instanceof ConnectionLostError && !backends.crashed(cause.pid)
  }

  get life(): Life {
    return this.#life
  }

  get secret(): string {
    return this.#options.secret
  }

  get committedMs(): number {
    return this.#formerCommittedMs + this.#life.committedMs
  }

  /** Where reports of verifications go. */
  onReport(sink: ReportSink): void {
    this.#sink = sink
    this.#life.verifier.sink = sink
  }

  async cancel(): Promise<void> {
    this.#cancels += 1
    await this.#life.cancel()
  }

  /** For what can be done twice, or is found out to be done already. */
  survive<T>(attempt: (life: Life) => Promise<T>): Promise<T> {
    return this.#repeat({ attempt, restarted: () => undefined }, () => undefined)
  }

  /** Likewise, and `cancel` ends it. */
  work<T>(work: Work<T>): Promise<T> {
    const cancels = this.#cancels
    return this.#repeat(work, () => {
      if (this.#cancels !== cancels) throw new WorkCancelledError('the work was cancelled')
    })
  }

  async #repeat<T>(work: Work<T>, checkCancelled: () => void): Promise<T> {
    for (;;) {
      const life = this.#life
      try {
        return await work.attempt(life)
      } catch (err) {
        const blame = await this.renewed(life, err)
        checkCancelled()
        await work.restarted(blame)
      }
    }
  }

  /**
   * Returns when there is another life than `life`, in which something failed.
   * @throws the error when it was not the end of a connection, and when there is no other life
   */
  async renewed(life: Life, err: unknown): Promise<Blame> {
    if (!(err instanceof ConnectionLostError) || this.#isClosed) throw err
    if (this.#life === life) {
      if (this.#lost !== undefined) throw this.#lost
      this.#renewing ??= this.#renew(life, err)
        .catch((lost: unknown) => {
          this.#lost = lost
          throw lost
        })
        .finally(() => {
          this.#renewing = undefined
        })
      await this.#renewing
    }
    return this.#blame(life, err.pid)
  }

  #blame(life: Life, pid: number): Blame {
    const query = life.guard.culprit(pid)
    if (query !== undefined) return { kind: 'killed', query }
    return { kind: this.#options.server.backends.crashed(pid) ? 'crashed' : 'none' }
  }

  async #renew(life: Life, cause: unknown): Promise<void> {
    const { log, server } = this.#options
    const beganMs = performance.now()
    this.#formerCommittedMs += life.committedMs
    await life.close()
    const next = await this.#opened(beganMs + REOPEN_MS, cause)
    this.#life = next
    next.verifier.sink = this.#sink
    if (!life.guard.explains(pid => server.backends.crashed(pid))) this.#countUnexplained(cause)
    const ms = Math.round(performance.now() - beganMs)
    log?.warn({ ms, last: this.end.last }, 'PostgreSQL has restarted its processes')
  }

  async #opened(untilMs: number, cause: unknown): Promise<Life> {
    for (;;) {
      if (!this.#options.server.isRunning || this.#isClosed) break
      try {
        return await Life.open(this.#options, keeper => this.#verifiedEnd(keeper))
      } catch (err) {
        if (!(err instanceof ConnectionLostError)) throw err
      }
      if (performance.now() > untilMs) break
      await this.#options.server.backends.ready(POLL_MS)
    }
    throw new StoreLostError('PostgreSQL takes no connections any more', cause)
  }

  /** @throws StoreLostError when less is there than was known to be committed */
  async #verifiedEnd(keeper: Connection): Promise<LogEnd> {
    const { last, memory } = this.end
    const found = await readEnd(keeper)
    const at = await new Log(keeper, { limits: this.#options.limits, end: found }).checksumAt(
      last.index
    )
    const isSameLog = last.index === 0 || at === last.checksum
    const isSameMemory =
      found.memory.term >= memory.term && found.memory.clusterId === memory.clusterId
    if (!isSameLog || !isSameMemory) {
      throw new StoreLostError(`the log ended at ${last.index} before PostgreSQL restarted`)
    }
    this.end.last = found.last
    this.end.memory = found.memory
    return this.end
  }

  #countUnexplained(cause: unknown): void {
    const nowMs = performance.now()
    const recent = this.#unexplainedMs.filter(ms => nowMs - ms < UNEXPLAINED_MS)
    this.#unexplainedMs = [...recent, nowMs]
    if (this.#unexplainedMs.length > UNEXPLAINED_MAX) {
      throw new StoreLostError('PostgreSQL restarts again and again', cause)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.readers[Symbol.asyncDispose]()
    await this.#life[Symbol.asyncDispose]()
  }
}
