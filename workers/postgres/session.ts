/**
 * A connection that writes, and the one piece of work that may run on it. `cancel`
 * ends that as WorkCancelledError; the transaction that was open leaves nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WorkCancelledError } from '../store.ts'
import { type Connection, ConnectionLostError } from './connection.ts'
import { lostTo } from './sql-error.ts'
import { Standstill } from './standstill.ts'
import { Statements } from './statements.ts'
import type { Outcome, Step } from './steps.ts'

/** A request to cancel that came too early for one statement is repeated for the next, less and less often. */
const CANCEL_REPEAT_MS = 20
const CANCEL_REPEAT_MS_MAX = 500
const CANCELLED = '57014'
/** How often what runs is looked at, whether it takes too long. */
const LOOK_MS = 25

export class Session implements AsyncDisposable {
  readonly connection: Connection
  readonly statements: Statements
  #running: Promise<unknown> | undefined
  /** What was asked for last ends after all that was asked for before. */
  #queue: Promise<unknown> = Promise.resolve()
  /** A request to cancel that is on its way must not hit the next work. */
  #cancelling: Promise<void> = Promise.resolve()
  #cancelled = false
  #committingSinceMs: number | undefined
  /** What its commits have taken so far. */
  committedMs = 0
  readonly #stepTimeoutMs: number
  readonly #standstill: Standstill

  /** @param stepTimeoutMs after which PostgreSQL ends a statement; Infinity where it does not */
  constructor(connection: Connection, stepTimeoutMs: number) {
    this.connection = connection
    this.#stepTimeoutMs = stepTimeoutMs
    this.#standstill = new Standstill(connection.pid)
    this.statements = new Statements(connection)
  }

  /**
   * A commit takes no time but the disk's; any other step may take its timeout, unless the
   * disk lets it stand. To be asked every now and then.
   */
  overdueMs(): number {
    const nowMs = performance.now()
    if (this.#committingSinceMs !== undefined) return nowMs - this.#committingSinceMs
    const { silentMs } = this.connection
    if (silentMs === 0) return 0
    return Math.max(silentMs - this.#stepTimeoutMs, this.#standstill.look(nowMs), 0)
  }

  /**
   * Ends a transaction: the last of `steps` commits. Those before it are reckoned to the
   * commit, unless they may take long: its beginning is then heard of, for a message more.
   */
  async commit(steps: readonly Step[], isLong: boolean): Promise<Outcome> {
    const before = steps.length - 2
    const told = isLong
      ? steps.map((step, i) => (i === before ? { ...step, tellsEnd: true } : step))
      : steps
    let left = steps.length - 1
    if (!isLong) this.#committingSinceMs = performance.now()
    try {
      return await this.connection.run(told, () => {
        left -= 1
        if (left === 0) this.#committingSinceMs ??= performance.now()
      })
    } finally {
      const sinceMs = this.#committingSinceMs
      if (sinceMs !== undefined) this.committedMs += performance.now() - sinceMs
      this.#committingSinceMs = undefined
    }
  }

  /** Runs `work`, of one or more transactions, as what `cancel` would cut off. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => this.#run(work))
    this.#queue = done.catch(() => undefined)
    return done
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    await this.#cancelling
    this.#cancelled = false
    const running = work()
    this.#running = running.catch(() => undefined)
    try {
      return await running
    } catch (err) {
      // With the connection its end is unknown: whoever connects again looks at the log first.
      if (err instanceof ConnectionLostError || !this.#cancelled) throw err
      throw new WorkCancelledError('the transaction was cancelled')
    } finally {
      this.#running = undefined
    }
  }

  /** Runs `work`, which begins a transaction, and commits it if it is to stay. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    this.checkCancelled()
    try {
      return await work()
    } catch (err) {
      await this.#rollBack()
      throw err
    }
  }

  /** A request to cancel may hit the rollback as well. */
  async #rollBack(): Promise<void> {
    for (;;) {
      const { error } = await this.connection.run([{ sql: 'rollback' }])
      if (error === undefined) return
      if (error.sqlstate !== CANCELLED) throw lostTo(error)
    }
  }

  /** To be asked last before a commit is sent: from then on the work stands. */
  checkCancelled(): void {
    if (this.#cancelled) throw new WorkCancelledError('the transaction was cancelled')
  }

  /** Returns when what runs now has ended. */
  async cancel(): Promise<void> {
    const asked = this.#running
    if (asked === undefined) return
    this.#cancelled = true
    this.#cancelling = this.#end(asked, () => this.#running === asked)
    await this.#cancelling
  }

  /**
   * Waits for an exchange to end, and cancels what runs once `isOver` says so, which is told for
   * how long it has run. Returns whether it did; by then no request to cancel is on its way.
   */
  async watch(running: Promise<unknown>, isOver: (ranMs: number) => boolean): Promise<boolean> {
    const sinceMs = performance.now()
    const ended = running.then(
      () => true,
      () => true
    )
    const over = Promise.withResolvers<boolean>()
    const look = () => isOver(performance.now() - sinceMs) && over.resolve(false)
    const timer = setInterval(look, LOOK_MS)
    try {
      if (await Promise.race([ended, over.promise])) return false
    } finally {
      clearInterval(timer)
    }
    let isRunning = true
    void ended.then(() => {
      isRunning = false
    })
    await this.#end(ended, () => isRunning)
    return true
  }

  async #end(asked: Promise<unknown>, isRunning: () => boolean): Promise<void> {
    for (let ms = CANCEL_REPEAT_MS; isRunning(); ms = Math.min(2 * ms, CANCEL_REPEAT_MS_MAX)) {
      await this.connection.cancel()
      await Promise.race([asked, sleep(ms)])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]()
  }
}
