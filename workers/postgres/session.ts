/**
 * A connection that writes, and the one transaction that may run on it: `cancel`
 * ends that transaction as WorkCancelledError, and nothing of it is kept.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WorkCancelledError } from '../store.ts'
import type { Connection } from './connection.ts'
import { Statements } from './statements.ts'

/** A request to cancel that came too early for one statement is repeated for the next. */
const CANCEL_REPEAT_MS = 20

export class Session implements AsyncDisposable {
  readonly connection: Connection
  readonly statements: Statements
  #running: Promise<unknown> | undefined
  #cancelled = false

  constructor(connection: Connection) {
    this.connection = connection
    this.statements = new Statements(connection)
  }

  /** Runs `work`, which ends its own transaction if it is to be committed. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    this.#cancelled = false
    const running = work()
    this.#running = running.catch(() => undefined)
    try {
      return await running
    } catch (err) {
      await this.rollback()
      throw this.#cancelled ? new WorkCancelledError('the transaction was cancelled') : err
    } finally {
      this.#running = undefined
    }
  }

  async rollback(): Promise<void> {
    await this.connection.must([{ sql: 'rollback' }])
  }

  /** The last moment at which the work may still be given up: before its commit is sent. */
  checkCancelled(): void {
    if (this.#cancelled) throw new WorkCancelledError('the transaction was cancelled')
  }

  /** Returns when no transaction runs. */
  async cancel(): Promise<void> {
    this.#cancelled = true
    while (this.#running !== undefined) {
      await this.connection.cancel()
      await Promise.race([this.#running, sleep(CANCEL_REPEAT_MS)])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]()
  }
}
