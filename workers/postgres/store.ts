/**
 * A worker's database, as the protocol sees it (../store.ts). What is asked survives a
 * restart of PostgreSQL's processes (survival.ts): it is done again, unless it was committed.
 */
import { hash } from 'node:crypto'
import type { Logger } from '../../platform/log.ts'
import type { ReadCommand, WriteCommand } from '../../wire/requests.ts'
import { checksumOf, type Entry, type Position, positionOf } from '../entry.ts'
import {
  type Answer,
  type Bystanders,
  type Executed,
  type Leftover,
  type LogPiece,
  type Memory,
  type Outcome,
  type Postponed,
  type ReadResult,
  type Sender,
  type Store,
  StoreLostError,
  TermRaisedError
} from '../store.ts'
import { endCopy, sendersOf } from './copies.ts'
import type { Executor } from './execute.ts'
import type { GuardEvent } from './guard.ts'
import type { Life } from './life.ts'
import { LIMITS, type Limits } from './limits.ts'
import { APPEND, appendValues } from './log.ts'
import { checkLog } from './log-check.ts'
import type { Mode } from './master.ts'
import { Rerun } from './rerun.ts'
import { prepareSchema } from './schema.ts'
import type { PostgresServer } from './server.ts'
import { lostTo } from './sql-error.ts'
import { Survival } from './survival.ts'
import { type ReportSink, yieldToOthers } from './verifier.ts'

/** Of the log at a time, to find what was committed of a batch. */
const ENTRIES_BYTES = 16 * 1024 * 1024

export interface StoreOptions {
  readonly server: PostgresServer
  /** Stands in the answers to reads. */
  readonly workerId: string
  /** Opens the log to this worker's transactions; anything that nobody can guess. */
  readonly secret: string
  /** With which others may copy this database. */
  readonly clonePassword: string
  readonly limits?: Partial<Limits>
  /** For tests: writes are never executed in a faster mode. */
  readonly leastMode?: Mode
  /** Told of each statement that was ended from outside. */
  readonly ended?: (how: GuardEvent['kind']) => void
  readonly log?: Logger
}

/** Opens the database of a running PostgreSQL; makes Convoy's schema in a new one. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const limits = { ...LIMITS, ...options.limits }
  // As a digest it is plain text, whatever it was.
  const secret = hash('sha256', options.secret)
  const { server, clonePassword, workerId, leastMode, log } = options
  const { socketDir, port } = server
  const settings = { socketDir, port, secret, clonePassword }
  await prepareSchema({ ...settings, maxEntryBytes: limits.maxEntryBytes })
  const told = (event: GuardEvent) => {
    log?.warn(event, 'a statement was ended from outside')
    options.ended?.(event.kind)
  }
  const survival = await Survival.begin({ server, limits, workerId, secret, leastMode, told, log })
  return new PostgresStore(survival)
}

const BEGIN_TERM = `
  update convoy.memory set term = $1, state_version = 0 where term < $1::int8 returning term`

class PostgresStore implements Store {
  readonly #survival: Survival
  #pruning: Promise<void> | undefined

  constructor(survival: Survival) {
    this.#survival = survival
  }

  get memory(): Memory {
    return this.#survival.end.memory
  }

  overdueMs(): number {
    return this.#survival.life.overdueMs()
  }

  get committedMs(): number {
    return this.#survival.committedMs
  }

  get last(): Position {
    return this.#survival.end.last
  }

  remember(memory: Memory): Promise<void> {
    return this.#survival.survive(life => life.log.remember(memory))
  }

  execute(
    batch: readonly WriteCommand[],
    term: number,
    bystanders?: Bystanders
  ): Promise<(Executed | Postponed)[]> {
    const before = this.last
    const rerun = new Rerun(batch)
    let executor: Executor | undefined
    return this.#survival.work({
      attempt: async life => {
        executor = await life.executor()
        return rerun.all(
          await executor.execute(rerun.rest, term, { bystanders, precautions: rerun })
        )
      },
      restarted: async blame => {
        const running = executor?.running ?? []
        rerun.restarted({ entries: await this.#entriesAfter(before.index), running, blame })
      }
    })
  }

  refuse(command: WriteCommand, refusal: Answer, term: number): Promise<Executed> {
    const before = this.last
    const rerun = new Rerun([command])
    return this.#survival.work({
      attempt: async life => {
        const executor = await life.executor()
        const left = rerun.rest.map(() => executor.refuse(command, refusal, term))
        return rerun.all(await Promise.all(left))[0] as Executed
      },
      restarted: async () => {
        const entries = await this.#entriesAfter(before.index)
        rerun.restarted({ entries, running: [], blame: { kind: 'none' } })
      }
    })
  }

  nameSequences(): void {
    this.#survival.life.nameSequences()
  }

  beginTerm(term: number): Promise<Entry> {
    const { last } = this
    const outcome = { status: 200, changes: '[]', result: '[]' }
    const entry = { index: last.index + 1, term, requestId: '', commandHash: '', ...outcome }
    const first = { ...entry, checksum: checksumOf(last.checksum, entry) }
    return this.#survival.work({
      // Whether it was committed before PostgreSQL restarted, the log tells.
      attempt: async life =>
        this.last.checksum === first.checksum ? first : this.#beginTerm(life, first),
      restarted: () => undefined
    })
  }

  async #beginTerm(life: Life, first: Entry): Promise<Entry> {
    const { end } = this.#survival
    const { term } = first
    const session = await life.applySession()
    await session.exclusive(() =>
      session.transaction(async () => {
        const { connection } = session
        const begun = connection.must([{ sql: 'begin' }])
        const [raised] = await Promise.all([connection.rows(BEGIN_TERM, [String(term)]), begun])
        if (raised.length === 0) throw new TermRaisedError('this term is known here already')
        session.checkCancelled()
        const append = { sql: APPEND, values: appendValues([first]) }
        const { error } = await session.commit([append, { sql: 'commit' }], false)
        if (error !== undefined) throw lostTo(error)
      })
    )
    end.last = positionOf(first)
    end.memory = { ...end.memory, term, stateVersion: 0 }
    return first
  }

  apply(entries: readonly Entry[], term: number): Promise<void> {
    let rest = entries
    return this.#survival.work({
      attempt: async life => {
        const applier = await life.applier()
        await applier.apply(rest, term)
      },
      restarted: () => {
        rest = entries.filter(({ index }) => index > this.last.index)
      }
    })
  }

  entriesAfter(
    index: number,
    maxBytes: number
  ): Promise<{ readonly prev: Position; readonly entries: readonly Entry[] } | 'pruned'> {
    return this.#survival.survive(life => life.log.entriesAfter(index, maxBytes))
  }

  checksumAt(index: number): Promise<string | undefined> {
    return this.#survival.survive(life => life.log.checksumAt(index))
  }

  read(reads: readonly ReadCommand[], begins?: () => Promise<void>): Promise<ReadResult>[] {
    return this.#survival.readers.read(reads, begins)
  }

  isWell(): Promise<boolean> {
    return this.#survival.readers.isWell()
  }

  dependence(sql: string): Promise<ReadResult> {
    return this.#survival.life.analyst.dependenceOf(sql)
  }

  get reading() {
    return this.#survival.readers.reading
  }

  resizeReaders(max: number): Promise<void> {
    return this.#survival.readers.resize(max)
  }

  outcome(requestId: string): Promise<Outcome | undefined> {
    return this.#survival.survive(life => life.log.outcome(requestId))
  }

  begun(): Promise<string[]> {
    return this.#survival.survive(life => life.log.begun())
  }

  prune(keepAfter: number): Promise<void> {
    this.#pruning ??= this.#survival
      .survive(life => life.log.prune(keepAfter))
      .finally(() => {
        this.#pruning = undefined
      })
    return this.#pruning
  }

  senders(): Promise<readonly Sender[]> {
    return this.#survival.survive(life => sendersOf(life.keeper))
  }

  endCopy(copy: Leftover): Promise<void> {
    return this.#survival.survive(life => endCopy(life.keeper, copy))
  }

  cancel(): Promise<void> {
    return this.#survival.cancel()
  }

  async *checkLog(share: number): AsyncGenerator<LogPiece> {
    await using connection = await this.#survival.life.openAside()
    yieldToOthers(connection)
    const { secret } = this.#survival
    yield* checkLog(connection, { secret, after: 0, upto: this.last.index, share })
  }

  onReport(sink: ReportSink): void {
    this.#survival.onReport(sink)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#survival[Symbol.asyncDispose]()
  }

  /** All that the log holds behind `index`. */
  async #entriesAfter(index: number): Promise<Entry[]> {
    const entries: Entry[] = []
    while (index + entries.length < this.last.index) {
      const found = await this.entriesAfter(index + entries.length, ENTRIES_BYTES)
      if (found === 'pruned' || found.entries.length === 0) {
        throw new StoreLostError(`the log does not hold what follows ${index + entries.length}`)
      }
      entries.push(...found.entries)
    }
    return entries
  }
}
