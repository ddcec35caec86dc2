/**
 * One attempt to run commands in one transaction, up to its commit. In two round trips: [open,
 * commands, read changes], then [append, commit]. The commands run straight on (straight.ts), or
 * under savepoints (careful.ts).
 */
import type { Statement, WriteCommand } from '../../wire/requests.ts'
import { checksumOf, type Entry } from '../entry.ts'
import { type Ran, runCarefully } from './careful.ts'
import type { CapturedChanges } from './changes.ts'
import type { CommandContext } from './command.ts'
import { takesLong } from './log.ts'
import { APPEND, COMMIT, type Master, type Mode, OwnStepError, RetryError } from './master.ts'
import { type Refusal, tooLarge } from './refusals.ts'
import { keyOf, REQUEST_KEY } from './request-key.ts'
import { positionsText } from './sequences.ts'
import { runStraight } from './straight.ts'
import { packedTexts } from './text.ts'
import type { Turn } from './turn.ts'

/** The id of a command that was said to be new stands in the log. */
export class KnownIdError extends Error {}

/** All commands of the batch are postponed: there is nothing to commit. */
export class NothingRanError extends Error {}

interface Batch {
  readonly commands: readonly WriteCommand[]
  readonly term: number
  /** Outcomes of commands that are known beforehand, by their places. */
  readonly settled: ReadonlyMap<number, Refusal>
  readonly mode: Mode
  readonly isLastTry: boolean
  readonly turn: Turn
}

/** Entries by the places of their commands; places that are missing are postponed. */
export interface Attempted {
  readonly entries: ReadonlyMap<number, Entry>
  /** How many rows were captured for them. */
  readonly captured: number
}

export class Attempt {
  readonly #master: Master
  readonly #batch: Batch
  readonly #first: number

  constructor(master: Master, batch: Batch) {
    this.#master = master
    this.#batch = batch
    this.#first = master.log.last.index + 1
  }

  /** The batch's entries, committed. */
  async run(): Promise<Attempted> {
    const { session, catalog } = this.#master
    const texts = this.#batch.commands.flatMap(c => c.statements.map(({ sql }) => sql))
    session.statements.prepare([...texts, positionsText(catalog.sequences) ?? ''])
    const { ran, captured } = await this.#runCommands()
    session.checkCancelled()
    const entries = this.#compose(ran, captured)
    if (entries.size > 0) await this.#append([...entries.values()])
    else throw new NothingRanError()
    this.#master.sequences.logged()
    return { entries, captured: captured.count }
  }

  async #runCommands(): Promise<{ ran: readonly Ran[]; captured: CapturedChanges }> {
    const { commands, mode, settled, isLastTry, turn, term } = this.#batch
    const { session, secret, catalog, limits } = this.#master
    const bounds = { maxBytes: limits.maxEntryBytes, maxRows: Number.POSITIVE_INFINITY }
    const context: CommandContext = { session, secret, catalog, bounds }
    const batch = { commands, term, first: this.#first }
    if (mode !== 'straight') {
      const stepwise = mode === 'stepwise'
      return runCarefully(this.#master, { ...batch, settled, stepwise, isLastTry, turn }, context)
    }
    const { results, captured } = await runStraight(this.#master, batch, context)
    return { ran: results.map((result, at) => ({ at, status: 200, result })), captured }
  }

  #compose(ran: readonly Ran[], captured: CapturedChanges): Map<number, Entry> {
    const entries = new Map<number, Entry>()
    const oversized = new Map<number, Refusal>()
    let previous = this.#master.log.last.checksum
    for (const [i, { at, status, result, compared }] of ran.entries()) {
      const { requestId, commandHash, statements } = this.#batch.commands[at] as WriteCommand
      const index = this.#first + i
      const changes = status === 200 ? [...captured.of(index)] : []
      if (status === 200 && compared !== undefined) changes.push(compared)
      // A sequence's move is undone by nothing, so the first entry has it even if it failed:
      // whatever prefix of the batch survives, no id comes twice.
      if (i === 0) changes.push(...this.#master.sequences.moved.map(move => JSON.stringify(move)))
      if (status === 200) changes.push(...statements.flatMap(marking))
      const text = `[${changes.join(',')}]`
      if (status === 200 && this.#isTooLarge(text, result)) {
        oversized.set(at, tooLarge('the command changes and returns more than an entry may hold'))
      }
      const outcome = { status, changes: text, result }
      const entry = { index, term: this.#batch.term, requestId, commandHash, ...outcome }
      previous = checksumOf(previous, entry)
      entries.set(at, { ...entry, checksum: previous })
    }
    if (oversized.size > 0) throw new RetryError('savepoints', oversized)
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
      ...[secret, String(this.#batch.term), String(this.#first)],
      ...[column(e => e.requestId), column(e => keyOf(e.requestId)), column(e => e.commandHash)],
      ...[`{${entries.map(e => e.status)}}`, column(e => e.changes), column(e => e.result)],
      column(e => e.checksum)
    ]
    const steps = [session.statements.step(APPEND, values), session.statements.step(COMMIT)]
    const { error } = await session.commit(steps, takesLong(entries))
    if (error === undefined) return
    if (error.constraint === REQUEST_KEY) throw new KnownIdError()
    throw new OwnStepError(error)
  }
}

/** Behind the sequences, whose positions are compared. */
function marking({ kind, sql }: Statement): string[] {
  if (kind !== 'verify') return []
  return [sql === '' ? '{"op":"verify"}' : `{"op":"verify","mark":${sql}}`]
}
