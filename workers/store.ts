/**
 * What the protocol asks of a worker's own database. `workers/postgres/` keeps
 * these promises; nothing outside that folder knows SQL of Convoy's own tables.
 *
 * One caller, one thing at a time: `execute`, `refuse`, `beginTerm` and `apply` are never
 * called while another of them runs. Reads run beside them.
 * Every one of them is durable when its promise resolves (fsync is on), and rejects with
 * DiskFullError when there is no room for it.
 */
import type { ReadCommand, WriteCommand } from '../wire/requests.ts'
import type { Report } from '../wire/verify.ts'
import type { Entry, Position } from './entry.ts'

/** What a worker remembers beside its log. `/state` below this means ZooKeeper lost its memory. */
export interface Memory {
  readonly clusterId: string
  readonly term: number
  /** Version of the `/state` znode last seen in `term`. */
  readonly stateVersion: number
}

/** What became of one command of a batch, in the batch's order. */
export type Executed =
  /** A new entry stands in the log; answered when it is committed. */
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** The id has a result already, here or earlier in the batch: answered when `index` is committed. */
  | {
      readonly kind: 'repeat'
      readonly index: number
      readonly term: number
      readonly status: number
      readonly result: string
    }
  /** What the command alone decides (an id used again for another command): no entry, answered at once. */
  | { readonly kind: 'refused'; readonly status: number; readonly result: string }

/**
 * Nothing of the command was done, for those before it took the time that others wait for. To be
 * executed again, after commands of clients that took less. Only where `bystanders` are given.
 */
export interface Postponed {
  readonly kind: 'postponed'
}

/** Who else waits while a batch is executed. May be asked at any time. */
export interface Bystanders {
  /** Whether writes of other clients than `client` wait, outside of the batch. */
  othersWait(client: string): boolean
  /** Whether nobody waits for the command any more. One that has not ended then is postponed. */
  isExpired(command: WriteCommand): boolean
}

export interface Answer {
  readonly status: number
  /** The whole HTTP body, JSON text. */
  readonly body: string
}

/** It may leave once `applied` is committed. */
export interface ReadResult {
  readonly applied: number
  readonly answer: Answer
  /** There is no answer: too much waits, it may have ended a connection, or nobody waits for it. */
  readonly note?: 'busy' | 'returned' | 'expired'
  /** Of its execution. */
  readonly tookMs?: number
}

/** One connection of a copy, or of a backup. */
export interface Sender {
  readonly pid: number
  readonly name: string
  /** Changes while it sends something. */
  readonly progress: string
}

/** A copy of this database, or a backup, that is served for nobody any more. */
export interface Leftover {
  readonly name: string
  readonly pids: readonly number[]
  readonly why: string
}

/** What is wrong with an entry of the log. */
export interface LogFault {
  readonly name: string
  readonly found: string
}

/** Part of the log that was checked. */
export interface LogPiece {
  /** The last entry that was looked at. */
  readonly upto: number
  readonly entries: number
  readonly faults: readonly LogFault[]
}

export interface Store extends AsyncDisposable {
  readonly memory: Memory
  /** End of the log, as of the last commit. */
  readonly last: Position
  /** Milliseconds that its commits have taken so far, all together. */
  readonly committedMs: number

  /** Raises what is remembered, durably; lower values change nothing. */
  remember(memory: Memory): Promise<void>

  /**
   * Master: runs a batch in one transaction, a savepoint per command, and appends
   * an entry per new command. A command has a budget of time (docs/write-execution.md), less
   * when writes of other clients wait, in the batch or by `bystanders`.
   * @throws TermRaisedError when the stored term is above `term`; nothing was done
   */
  execute(
    batch: readonly WriteCommand[],
    term: number,
    bystanders?: Bystanders
  ): Promise<(Executed | Postponed)[]>

  /**
   * Master: appends `refusal` as the outcome of a command, unless the log has one already, which
   * then is the outcome. Nothing of the command is executed.
   * @throws TermRaisedError when the stored term is above `term`; nothing was done
   */
  refuse(command: WriteCommand, refusal: Answer, term: number): Promise<Executed>

  /**
   * Master: the next entry names the positions of all sequences. PostgreSQL logs some values of a
   * sequence ahead, so that a copy of a master's data begins beyond them.
   */
  nameSequences(): void

  /**
   * Master: raises the stored term to `term` and appends its empty first entry, in one transaction.
   * @throws TermRaisedError when the stored term is `term` already, or above: a term begins once
   */
  beginTerm(term: number): Promise<Entry>

  /**
   * Replica: applies entries that follow `last`, each in one transaction with its log row; many of
   * them, and schema changes, in several: what came before a failure stays, and `last` tells how far.
   * @throws TermRaisedError when the stored term is above `term`; nothing was done
   * @throws DivergedError when an entry does not change exactly the rows it names; nothing was done
   */
  apply(entries: readonly Entry[], term: number): Promise<void>

  /**
   * Entries after `index`, in order, up to about `maxBytes` (at least one if there is one).
   * `pruned` when the log no longer reaches back so far. Beyond its end: none, and `prev` is its end.
   */
  entriesAfter(
    index: number,
    maxBytes: number
  ): Promise<{ readonly prev: Position; readonly entries: readonly Entry[] } | 'pruned'>

  /** Undefined where the log does not hold `index` (pruned, or beyond the end). */
  checksumAt(index: number): Promise<string | undefined>

  /**
   * Runs the reads of one message, each in a read-only snapshot that also tells its applied index,
   * as the role that cannot write. Each is settled by itself; an answer may leave once `applied`
   * is committed. None rejects for a fault of the read itself: that is an `Answer` (400
   * CONVOY_SQL, 413 ...), or a note in its place.
   * @param begins called before the execution of one begins, which waits for it
   */
  read(reads: readonly ReadCommand[], begins?: () => Promise<void>): readonly Promise<ReadResult>[]

  /** Looks at the whole log, piece by piece. @param share of the time that it works */
  checkLog(share: number): AsyncIterable<LogPiece>

  /** Where goes what verifications find here (postgres/verifier.ts). */
  onReport(sink: (replyTo: string, report: Report) => void): void

  /** Whether the database answers now. */
  isWell(): Promise<boolean>

  /** What the answer to a statement depends on (`Dependence` and its index). Never rejects; 503 when it cannot tell now. */
  dependence(sql: string): Promise<ReadResult>

  /** Time that all connections have spent on reads so far, and how many of them there may be. */
  readonly reading: { readonly busyMs: number; readonly connections: number }

  /** How many connections its quick reads share from now on. */
  resizeReaders(max: number): Promise<void>

  /** What a write came to, as a whole HTTP answer; undefined when the log does not know the id. */
  outcome(requestId: string): Promise<Outcome | undefined>

  /** Ids of the log's entries that say that a request is begun (protocol/answers.ts). */
  begun(): Promise<readonly string[]>

  /** Forgets log entries and results that the limits let go, but no entry after `keepAfter`. */
  prune(keepAfter: number): Promise<void>

  /**
   * Milliseconds that what was asked has taken beyond what it may: the disk hangs. 0: all is well.
   * To be asked every now and then, and often enough to see a process move in between.
   */
  overdueMs(): number

  /** Connections that copy this database now. */
  senders(): Promise<readonly Sender[]>

  /** Ends a copy that is made for nobody. */
  endCopy(copy: Leftover): Promise<void>

  /** Ends the transaction that runs now, if any: its caller gets WorkCancelledError. Used before an election. */
  cancel(): Promise<void>
}

/** This worker has promised itself to a later term. */
export class TermRaisedError extends Error {
  override readonly name = 'TermRaisedError'
}

/** The transaction was cut off by `cancel`; nothing was done. */
export class WorkCancelledError extends Error {
  override readonly name = 'WorkCancelledError'
}

/** The rows here are not those the log speaks of. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError'
}

/** There is no room for it on the disk; nothing was done. The database lives, and may have room later. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError'
}

/** The database is gone or cannot be used, by no fault of a command. The worker must end itself. */
export class StoreLostError extends Error {
  override readonly name = 'StoreLostError'

  constructor(message: string, cause?: unknown) {
    super(message, { cause })
  }
}

/** Body of a write's HTTP answer; `result` as in an entry. */
/** What became of a write, as the log holds it. */
export interface Outcome {
  readonly index: number
  readonly commandHash: string
  readonly answer: Answer
}

export function writeBody(outcome: {
  requestId: string
  index: number
  term: number
  status: number
  result: string
}): string {
  if (outcome.status !== 200) return outcome.result
  const { requestId, index, term, result } = outcome
  return `{"requestId":${JSON.stringify(requestId)},"index":${index},"term":${term},"results":${result}}`
}
