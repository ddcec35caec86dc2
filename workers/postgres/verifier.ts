/**
 * A worker's part in a verification (docs/decisions/verify-in-the-background.md): takes a
 * snapshot just before the entry that asks for it, and computes in the background.
 *
 * Invariants:
 * - a snapshot shows exactly the data before the entry, or nothing is reported of it
 * - whoever writes waits for a snapshot to be opened, `OPEN_MS` at most, and for nothing else
 * - no snapshot, and no lock on a table, outlives one part; a schema change ends it at once
 */
import { constants, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Item, Mark, Problem, Report } from '../../wire/verify.ts'
import type { Catalog } from './catalog.ts'
import type { Connection } from './connection.ts'
import { computePart, type Found, PartError } from './verify-part.ts'

const OPEN_MS = 150
/** At once: each holds a connection and a snapshot. */
const HELD_MAX = 3
/** A worker that catches up comes upon what was asked long ago; clocks may differ. */
const OLD_MS = 10 * 60_000
const WORKING_MS = 1_000
const BEGIN = 'begin isolation level repeatable read read only'
const LOG_END = 'select index from convoy.log_end'

export interface VerifierOptions {
  readonly workerId: string
  readonly secret: string
  /** As the applying role, with a bound on a statement's time. */
  readonly connect: () => Promise<Connection>
}

/** A mark of which the entry is about to be written. */
export interface Marked {
  /** Its entry is committed: computes. */
  go(positions: readonly Item[]): void
  /** Its entry was not written. */
  drop(): void
}

export type ReportSink = (replyTo: string, report: Report) => void

interface Held {
  readonly mark: Mark
  readonly connection: Connection
  readonly catalog: Catalog
  /** Of the entry. */
  readonly index: number
  /** Schema changes begun before it. */
  readonly generation: number
}

const NOTHING: Marked = { go: () => undefined, drop: () => undefined }

export class Verifier implements AsyncDisposable {
  readonly #options: VerifierOptions
  readonly #idle: Connection[] = []
  #held = 0
  #generation = 0
  readonly #running = new Set<Connection>()
  /** By whether it needs a snapshot, which is not to wait for what takes long. */
  readonly #queues = new Map<boolean, Promise<void>>()
  #closed = false
  /** Where reports go; nowhere while there is no connection to RabbitMQ. */
  sink: ReportSink = () => undefined

  constructor(options: VerifierOptions) {
    this.#options = options
  }

  /** To be awaited before the entry `index` is written by the only one who writes. Never rejects. */
  async mark(mark: Mark, at: { index: number; catalog: Catalog }): Promise<Marked> {
    if (this.#closed || Date.now() - mark.askedAtMs > OLD_MS) return NOTHING
    const failed = (problem: Problem, message: string): Marked => ({
      go: () => this.#tell(mark, { kind: 'problem', problem, message }),
      drop: () => undefined
    })
    if (this.#held >= HELD_MAX) return failed('busy', 'other parts are computed here')
    this.#held += 1
    let why = `no snapshot was open within ${OPEN_MS} ms`
    const opening = this.#open(isLocal(mark) ? null : at.index - 1).catch((err: unknown) => {
      why = (err as Error).message
      return null
    })
    const late = sleep(OPEN_MS, undefined, { ref: false })
    const connection = await Promise.race([opening, late])
    if (connection == null) {
      void opening.then(opened => this.#release(opened))
      return failed('late', why)
    }
    const held: Held = { mark, connection, ...at, generation: this.#generation }
    return {
      go: positions => {
        const before = this.#queues.get(isLocal(mark)) ?? Promise.resolve()
        const done = before.then(() => this.#compute(held, positions))
        this.#queues.set(isLocal(mark), done)
      },
      drop: () => void this.#release(connection)
    }
  }

  /** A schema change, or a TRUNCATE, is about to begin: it would wait for the locks of a part. */
  makeWay(): void {
    this.#generation += 1
    for (const connection of this.#running) void connection.cancel()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const connection of this.#running) connection.drop()
    await Promise.all(this.#queues.values())
    await Promise.all(this.#idle.map(connection => connection[Symbol.asyncDispose]()))
  }

  /**
   * @param index that a snapshot is to show; null: none is needed
   * @throws when it shows another one: somebody else wrote
   */
  async #open(index: number | null): Promise<Connection> {
    let connection = this.#idle.pop()
    while (connection !== undefined && !connection.isOpen) connection = this.#idle.pop()
    if (connection === undefined) {
      connection = await this.#options.connect()
      yieldToOthers(connection)
    }
    if (index === null) return connection
    try {
      const begun = connection.must([{ sql: BEGIN }])
      const [rows] = await Promise.all([connection.rows(LOG_END), begun])
      if (Number(rows[0]?.[0]) !== index) throw new Error(`the snapshot is not of ${index}`)
      return connection
    } catch (err) {
      connection.drop()
      throw err
    }
  }

  async #release(connection: Connection | null): Promise<void> {
    if (connection !== null) {
      await connection.run([{ sql: 'rollback' }]).catch(() => undefined)
      if (connection.isOpen && !this.#closed) this.#idle.push(connection)
      else connection.drop()
    }
    this.#held -= 1
  }

  async #compute(held: Held, positions: readonly Item[]): Promise<void> {
    const { mark, connection } = held
    const working = setInterval(() => this.#tell(mark, { kind: 'working' }), WORKING_MS)
    const beganMs = performance.now()
    this.#running.add(connection)
    try {
      const found = await this.#found(held)
      const tookMs = performance.now() - beganMs
      const items = [...found.items, ...positions]
      this.#tell(mark, { kind: 'done', ...found, items, tookMs })
    } catch (err) {
      this.#tell(mark, problemOf(err))
    } finally {
      clearInterval(working)
      this.#running.delete(connection)
      await this.#release(connection)
    }
  }

  /** @throws PartError */
  async #found(held: Held): Promise<Found> {
    const isVoid = () => !isLocal(held.mark) && held.generation !== this.#generation
    const changed = () => new PartError('changed', 'a schema change began meanwhile')
    if (isVoid()) throw changed()
    const { connection, catalog, index, mark } = held
    const { secret } = this.#options
    const found = await computePart(mark.part, { connection, catalog, secret, index }).catch(
      (err: unknown) => {
        throw isVoid() ? changed() : err
      }
    )
    if (isVoid()) throw changed()
    return found
  }

  #tell({ id, replyTo }: Mark, what: Without<Report>): void {
    this.sink(replyTo, { id, workerId: this.#options.workerId, ...what } as Report)
  }
}

/** Looks at what is here alone, at no index. */
const isLocal = ({ part }: Mark): boolean => part.kind === 'indexes' || part.kind === 'log'

type Without<R> = R extends unknown ? Omit<R, 'id' | 'workerId'> : never

function problemOf(err: unknown): Without<Report> {
  if (err instanceof PartError) {
    return { kind: 'problem', problem: err.problem, message: err.message }
  }
  return { kind: 'problem', problem: 'failed', message: (err as Error).message }
}

/** For good: priority cannot be raised again. */
export function yieldToOthers({ pid }: Connection): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended, or this system has no priorities.
  }
}
