/**
 * One attempt to run commands in one transaction, up to its commit. In two round
 * trips: [open, commands, read changes], then [append, commit]; commands that expect
 * a number of rows and do not meet it cost further ones.
 */
import type { WriteCommand } from '../../platform/wire/requests.ts'
import { checksumOf, type Entry } from '../entry.ts'
import { TermRaisedError } from '../store.ts'
import { readCatalog } from './catalog.ts'
import { CapturedChanges } from './changes.ts'
import {
  type CommandOutcome,
  changesSchema,
  isExpecting,
  SAVEPOINT,
  sendCommand,
  undoCommand
} from './command.ts'
import type { Outcome } from './connection.ts'
import { APPEND, BEGIN, CHANGES, COMMIT, type Master, OPEN } from './master.ts'
import { type Refusal, tooLarge } from './refusals.ts'
import { keyOf, REQUEST_KEY } from './request-key.ts'
import { positionsText } from './sequences.ts'
import { lostTo } from './sql-error.ts'
import { textArray } from './text.ts'

const TERM_RAISED = 'CV100'
/** Unmet expectations after which the rest goes on in careful steps, so that time stays linear. */
const SETBACKS_MAX = 3

/** Everything is to be undone and run again, with what this attempt has settled. */
export class RetryError extends Error {
  readonly settled: ReadonlyMap<number, Refusal>

  constructor(settled: ReadonlyMap<number, Refusal>) {
    super('the batch is to be run again')
    this.settled = settled
  }
}

/** The id of a command that was said to be new stands in the log. */
export class KnownIdError extends Error {}

/** Outcomes of commands that are known beforehand, by their place in the batch. */
export type Settled = ReadonlyMap<number, Refusal>
type Result = { readonly status: number; readonly result: string }

export class Attempt {
  readonly #master: Master
  readonly #commands: readonly WriteCommand[]
  readonly #term: number
  readonly #settled: Settled
  readonly #first: number
  readonly #results: Result[] = []

  constructor(
    master: Master,
    batch: { commands: readonly WriteCommand[]; term: number; settled: Settled }
  ) {
    this.#master = master
    this.#commands = batch.commands
    this.#term = batch.term
    this.#settled = batch.settled
    this.#first = master.log.last.index + 1
  }

  /** The batch's entries, committed, and how many rows were captured for them. */
  async run(): Promise<{ entries: Entry[]; captured: number }> {
    const { session } = this.#master
    session.statements.prepare(this.#commands.flatMap(c => c.statements.map(({ sql }) => sql)))
    const { opened, changes } = session.connection.together(() => ({
      opened: this.#open(),
      changes: this.#runCommands()
    }))
    // Whatever the commands say in a transaction that was not opened is void.
    changes.catch(() => undefined)
    checkOpened(await opened)
    const captured = await changes
    session.checkCancelled()
    const entries = this.#compose(captured)
    await this.#append(entries)
    this.#master.sequences.logged()
    return { entries, captured: captured.count }
  }

  #open(): Promise<Outcome> {
    const { session, secret } = this.#master
    const { connection, statements } = session
    return connection.run([
      statements.step(BEGIN),
      statements.step(OPEN, [secret, String(this.#term), String(this.#first)]),
      statements.step(SAVEPOINT)
    ])
  }

  /** Runs all commands, and reads what they changed, behind the last round's at once. */
  async #runCommands(): Promise<CapturedChanges> {
    const total = this.#commands.length
    const reshapes = this.#commands.some(changesSchema)
    let setbacks = 0
    for (;;) {
      const from = this.#results.length
      const to = setbacks < SETBACKS_MAX ? total : this.#afterExpecting(from)
      const round = this.#master.session.connection.together(() => ({
        outcomes: this.#commands.slice(from, to).map((_, i) => this.#outcome(from + i)),
        changes: to === total && !reshapes ? this.#readChanges() : undefined
      }))
      // Not awaited where it comes to nothing.
      round.changes?.catch(() => undefined)
      const went = await this.#take(await Promise.all(round.outcomes))
      if (!went) setbacks += 1
      else if (this.#results.length === total) return round.changes ?? this.#readChangesAnew()
    }
  }

  #outcome(at: number): Promise<CommandOutcome> | CommandOutcome {
    const refusal = this.#settled.get(at)
    if (refusal !== undefined) return { kind: 'failed', refusal }
    const { session, secret, catalog, limits } = this.#master
    const bounds = { maxBytes: limits.maxEntryBytes, maxRows: Number.POSITIVE_INFINITY }
    const context = { session, secret, catalog, bounds }
    return sendCommand(this.#commands[at] as WriteCommand, this.#first + at, context)
  }

  #afterExpecting(from: number): number {
    const at = this.#commands.findIndex((command, i) => i >= from && isExpecting(command))
    return at === -1 ? this.#commands.length : at + 1
  }

  /** Adds outcomes up to the first that must be undone now; false if there was one. */
  async #take(outcomes: readonly CommandOutcome[]): Promise<boolean> {
    for (const outcome of outcomes) {
      const at = this.#results.length
      if (outcome.kind === 'again') {
        this.#master.session.statements.clear()
        throw new RetryError(new Map())
      }
      if (outcome.kind === 'void') throw new RetryError(new Map([[at, outcome.refusal]]))
      if (outcome.kind === 'done') {
        this.#results.push({ status: 200, result: outcome.result })
        continue
      }
      const { status, body } = outcome.refusal
      this.#results.push({ status, result: body })
      if (outcome.kind === 'unmet') {
        await undoCommand(this.#master.session, this.#first + at)
        return false
      }
    }
    return true
  }

  async #readChanges(): Promise<CapturedChanges> {
    const { session, secret, catalog, sequences } = this.#master
    const captured = new CapturedChanges()
    sequences.restart()
    const steps = [session.statements.step(CHANGES, [secret, String(this.#first)], captured)]
    const positions = positionsText(catalog.sequences)
    if (positions !== undefined) {
      session.statements.ran(positions)
      steps.push(session.statements.step(positions, [], sequences))
    }
    await session.connection.must(steps)
    return captured
  }

  /** After a schema change: the sequences may be others than before. */
  async #readChangesAnew(): Promise<CapturedChanges> {
    this.#master.catalog = await readCatalog(this.#master.session.connection)
    return this.#readChanges()
  }

  #compose(captured: CapturedChanges): Entry[] {
    const entries: Entry[] = []
    const oversized = new Map<number, Refusal>()
    let previous = this.#master.log.last.checksum
    for (const [i, { requestId, commandHash, statements }] of this.#commands.entries()) {
      const { status, result } = this.#results[i] as Result
      const index = this.#first + i
      const changes = status === 200 ? [...captured.of(index)] : []
      if (status === 200 && statements.some(({ kind }) => kind === 'verify')) {
        changes.push('{"op":"verify"}')
      }
      // A sequence's move is undone by nothing, so the first entry has it even if it failed:
      // whatever prefix of the batch survives, no id comes twice.
      if (i === 0) changes.push(...this.#master.sequences.moved.map(move => JSON.stringify(move)))
      const text = `[${changes.join(',')}]`
      if (status === 200 && this.#isTooLarge(text, result)) {
        oversized.set(i, tooLarge('the command changes and returns more than an entry may hold'))
      }
      const outcome = { status, changes: text, result }
      const entry = { index, term: this.#term, requestId, commandHash, ...outcome }
      previous = checksumOf(previous, entry)
      entries.push({ ...entry, checksum: previous })
    }
    if (oversized.size > 0) throw new RetryError(oversized)
    return entries
  }

  #isTooLarge(changes: string, result: string): boolean {
    const { maxEntryBytes } = this.#master.limits
    const chars = changes.length + result.length
    if (chars * 3 <= maxEntryBytes) return false
    return Buffer.byteLength(changes) + Buffer.byteLength(result) > maxEntryBytes
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    const { session, secret } = this.#master
    const column = (text: (entry: Entry) => string) => textArray(entries.map(text))
    const values = [
      ...[secret, String(this.#term), String(this.#first)],
      ...[column(e => e.requestId), column(e => keyOf(e.requestId)), column(e => e.commandHash)],
      ...[column(e => String(e.status)), column(e => e.changes), column(e => e.result)],
      column(e => e.checksum)
    ]
    const { error } = await session.commit([
      session.statements.step(APPEND, values),
      session.statements.step(COMMIT)
    ])
    if (error === undefined) return
    if (error.constraint === REQUEST_KEY) throw new KnownIdError()
    throw lostTo(error)
  }
}

function checkOpened({ error }: Outcome): void {
  if (error === undefined) return
  if (error.sqlstate === TERM_RAISED) throw new TermRaisedError(error.message)
  throw lostTo(error)
}
