/**
 * One attempt to run commands in one transaction, up to its commit. In two round
 * trips: [open, commands, read changes], then [append, commit]. Straight on: the first
 * failure is the end of the attempt. Or in careful steps, each command under a savepoint:
 * commands that expect a number of rows and do not meet it cost further round trips.
 */
import type { WriteCommand } from '../../platform/wire/requests.ts'
import { checksumOf, type Entry } from '../entry.ts'
import { readCatalog } from './catalog.ts'
import { CapturedChanges } from './changes.ts'
import {
  type CommandContext,
  type CommandOutcome,
  changesSchema,
  isExpecting,
  SAVEPOINT,
  sendCommand,
  undoCommand
} from './command.ts'
import type { Outcome } from './connection.ts'
import { takesLong } from './log.ts'
import {
  APPEND,
  COMMIT,
  checkOpened,
  type Master,
  openingSteps,
  RetryError,
  readingSteps
} from './master.ts'
import { type Refusal, tooLarge } from './refusals.ts'
import { keyOf, REQUEST_KEY } from './request-key.ts'
import { positionsText } from './sequences.ts'
import { lostTo } from './sql-error.ts'
import { runStraight } from './straight.ts'
import { packedTexts } from './text.ts'

/** Unmet expectations after which the rest goes on in careful steps, so that time stays linear. */
const SETBACKS_MAX = 3

/** The id of a command that was said to be new stands in the log. */
export class KnownIdError extends Error {}

/** Outcomes of commands that are known beforehand, by their place in the batch. */
export type Settled = ReadonlyMap<number, Refusal>
type Result = { readonly status: number; readonly result: string }

interface Batch {
  readonly commands: readonly WriteCommand[]
  readonly term: number
  readonly settled: Settled
  readonly careful: boolean
}

export class Attempt {
  readonly #master: Master
  readonly #commands: readonly WriteCommand[]
  readonly #term: number
  readonly #settled: Settled
  readonly #careful: boolean
  readonly #first: number
  #results: Result[] = []

  constructor(master: Master, batch: Batch) {
    this.#master = master
    this.#commands = batch.commands
    this.#term = batch.term
    this.#settled = batch.settled
    this.#careful = batch.careful
    this.#first = master.log.last.index + 1
  }

  /** The batch's entries, committed, and how many rows were captured for them. */
  async run(): Promise<{ entries: Entry[]; captured: number }> {
    const { session, catalog } = this.#master
    const texts = this.#commands.flatMap(c => c.statements.map(({ sql }) => sql))
    session.statements.prepare([...texts, positionsText(catalog.sequences) ?? ''])
    const captured = this.#careful ? await this.#runCarefully() : await this.#runStraight()
    session.checkCancelled()
    const entries = this.#compose(captured)
    await this.#append(entries)
    this.#master.sequences.logged()
    return { entries, captured: captured.count }
  }

  async #runStraight(): Promise<CapturedChanges> {
    const batch = { commands: this.#commands, term: this.#term, first: this.#first }
    const { results, captured } = await runStraight(this.#master, batch, this.#context)
    this.#results = results.map(result => ({ status: 200, result }))
    return captured
  }

  async #runCarefully(): Promise<CapturedChanges> {
    const { connection } = this.#master.session
    const { opened, changes } = connection.together(() => ({
      opened: this.#open(),
      changes: this.#runCommands()
    }))
    // Whatever the commands say in a transaction that was not opened is void.
    changes.catch(() => undefined)
    checkOpened(await opened)
    return changes
  }

  #open(): Promise<Outcome> {
    const { connection, statements } = this.#master.session
    const opening = openingSteps(this.#master, { term: this.#term, first: this.#first })
    return connection.run([...opening, statements.step(SAVEPOINT)])
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
    return sendCommand(this.#commands[at] as WriteCommand, this.#first + at, this.#context)
  }

  get #context(): CommandContext {
    const { session, secret, catalog, limits } = this.#master
    const bounds = { maxBytes: limits.maxEntryBytes, maxRows: Number.POSITIVE_INFINITY }
    return { session, secret, catalog, bounds }
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
      if (outcome.kind === 'failed' && outcome.doubt !== undefined) {
        if (!(await this.#master.isWell())) throw lostTo(outcome.doubt)
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
    const captured = new CapturedChanges()
    const { connection } = this.#master.session
    await connection.must(readingSteps(this.#master, this.#first, captured))
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
    const column = (text: (entry: Entry) => string) => packedTexts(entries.map(text))
    const values = [
      ...[secret, String(this.#term), String(this.#first)],
      ...[column(e => e.requestId), column(e => keyOf(e.requestId)), column(e => e.commandHash)],
      ...[`{${entries.map(e => e.status)}}`, column(e => e.changes), column(e => e.result)],
      column(e => e.checksum)
    ]
    const steps = [session.statements.step(APPEND, values), session.statements.step(COMMIT)]
    const { error } = await session.commit(steps, takesLong(entries))
    if (error === undefined) return
    if (error.constraint === REQUEST_KEY) throw new KnownIdError()
    throw lostTo(error)
  }
}
