/**
 * The PostgreSQL of a simulated worker: what is on its disk, and the one transaction
 * that may be writing. A transaction goes on while its worker is frozen or dead, until
 * another worker starts in its place.
 */
import { checksumOf, type Entry, ORIGIN, type Position, positionOf } from '../../workers/entry.ts'
import type { Mark } from '../../workers/protocol/forgetting.ts'
import type { WriteCommand } from './requests.ts'
import { apply, execute, type Rows } from './rows.ts'
import type { World } from './world.ts'

export class Disk {
  term = 0
  stateVersion = 0
  /** Where the log begins: what came before was pruned. */
  base: Position = ORIGIN
  log: Entry[] = []
  /** Outcomes by request id, as long as they are remembered. */
  results = new Map<string, Entry>()
  rows: Rows = new Map()
  /** As production stores them: what was committed at which age of this data. */
  marks: readonly Mark[] = []
  /** Requests up to here were forgotten. */
  forgottenTo = 0
  full = false
  /** How much of the log was compared with what is committed. */
  judgedTo = 0

  get last(): Position {
    const newest = this.log.at(-1)
    return newest === undefined ? this.base : positionOf(newest)
  }

  /** Undefined where the log does not hold it. */
  at(index: number): Entry | undefined {
    return this.log[index - this.base.index - 1]
  }

  checksumAt(index: number): string | undefined {
    return index === this.base.index ? this.base.checksum : this.at(index)?.checksum
  }

  append(entry: Entry): void {
    this.log.push(entry)
    if (entry.requestId !== '') this.results.set(entry.requestId, entry)
  }

  /** Ids of the entries that say that a request is begun. */
  begun(): string[] {
    return [...this.results.keys()].filter(id => id.startsWith('begun '))
  }

  prune(upTo: number): void {
    const newest = this.at(upTo)
    if (newest === undefined) return
    this.log = this.log.slice(upTo - this.base.index)
    this.base = positionOf(newest)
  }

  /** A physical copy, as of now. */
  copy(): Disk {
    const copy = new Disk()
    Object.assign(copy, { term: this.term, stateVersion: this.stateVersion, base: this.base })
    copy.log = [...this.log]
    copy.results = new Map(this.results)
    copy.rows = new Map(this.rows)
    copy.judgedTo = this.judgedTo
    copy.marks = this.marks
    copy.forgottenTo = this.forgottenTo
    return copy
  }
}

/** What became of a transaction. */
export type Ended<T> = { readonly done: T } | { readonly refused: 'term' | 'rows' | 'cancelled' }

export type Executed =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'repeat'; readonly index: number; readonly entry: Entry }
  | { readonly kind: 'refused' }

export class Database {
  readonly disk: Disk
  readonly #world: World
  /** Ended for good: another worker has begun in its place. */
  #ended = false
  #hung: (() => void)[] | null = null
  hungSinceMs: number | null = null
  /** Until when commits stall: its disk is slow, or a lock is held. Reads go on. */
  stalledUntilMs = 0
  #cancel: { asked: boolean } | null = null

  constructor(world: World, disk: Disk) {
    this.#world = world
    this.disk = disk
  }

  end(): void {
    this.#ended = true
    this.#hung = null
  }

  hang(): void {
    this.#hung ??= []
    this.hungSinceMs ??= this.#world.timeline.nowMs
  }

  goOn(): void {
    const waiting = this.#hung ?? []
    this.#hung = null
    this.hungSinceMs = null
    for (const run of waiting) run()
  }

  /** After `delayMs`, or when it answers again; never after its end. */
  after(delayMs: number, run: () => void): void {
    this.#world.timeline.after(delayMs, () => {
      if (this.#ended) return
      if (this.#hung === null) run()
      else this.#hung.push(run)
    })
  }

  /**
   * Runs parts one after the other, each committed by itself.
   *
   * @param ended with what the parts gave; a refused part ends it, and leaves those before
   * @param lost the disk is full: nothing of that part was done, and the worker must end
   */
  transact<T>(
    parts: readonly (() => Ended<T>)[],
    then: { ended: (how: Ended<T[]>) => void; lost: () => void }
  ): void {
    const cancel = { asked: false }
    this.#cancel = cancel
    const results: T[] = []
    const next = (at: number) => {
      const part = parts[at]
      if (part === undefined) return then.ended({ done: results })
      this.after(this.#commitDelay(), () => {
        if (cancel.asked) return then.ended({ refused: 'cancelled' })
        if (this.disk.full) return then.lost()
        const how = part()
        if ('refused' in how) return then.ended(how)
        results.push(how.done)
        next(at + 1)
      })
    }
    next(0)
  }

  #commitDelay(): number {
    const stalledMs = Math.max(0, this.stalledUntilMs - this.#world.timeline.nowMs)
    return stalledMs + this.#world.commitDelay()
  }

  cancel(): void {
    const cancel = this.#cancel
    if (cancel === null) return
    this.after(this.#world.delay(), () => {
      cancel.asked = true
    })
  }

  remember(memory: { term: number; stateVersion: number }): void {
    const { disk } = this
    const isHigher =
      memory.term > disk.term ||
      (memory.term === disk.term && memory.stateVersion > disk.stateVersion)
    if (isHigher) Object.assign(disk, memory)
  }

  beginTerm(term: number): Ended<Entry> {
    const { disk } = this
    if (disk.term >= term) return { refused: 'term' }
    disk.term = term
    disk.stateVersion = 0
    return {
      done: this.#append(
        { requestId: '', commandHash: '', status: 200, changes: '', result: '' },
        term
      )
    }
  }

  execute(commands: readonly WriteCommand[], term: number): Ended<Executed[]> {
    const { disk } = this
    if (disk.term > term) return { refused: 'term' }
    return { done: commands.map(command => this.#executeOne(command, term)) }
  }

  /** An entry that changes nothing: a refusal, or what says that a command begins. */
  append(
    { requestId, commandHash }: WriteCommand,
    outcome: { status: number; term: number }
  ): Ended<Executed> {
    const { disk } = this
    const { status, term } = outcome
    if (disk.term > term) return { refused: 'term' }
    const known = disk.results.get(requestId)
    if (known !== undefined) return { done: repeatOf(known) }
    const nothing = { status, changes: '', result: '' }
    const entry = this.#append({ requestId, commandHash, ...nothing }, term)
    return { done: { kind: 'entry', entry } }
  }

  #executeOne({ requestId, commandHash, statement }: WriteCommand, term: number): Executed {
    const known = this.disk.results.get(requestId)
    if (known !== undefined) {
      if (known.commandHash !== commandHash) return { kind: 'refused' }
      return repeatOf(known)
    }
    const outcome = execute(this.disk.rows, statement)
    return { kind: 'entry', entry: this.#append({ requestId, commandHash, ...outcome }, term) }
  }

  #append(outcome: Omit<Entry, 'index' | 'term' | 'checksum'>, term: number): Entry {
    const { index, checksum } = this.disk.last
    const bare = { index: index + 1, term, ...outcome }
    const entry = { ...bare, checksum: checksumOf(checksum, bare) }
    this.disk.append(entry)
    return entry
  }

  apply(entries: readonly Entry[], term: number): Ended<Position> {
    const { disk } = this
    if (disk.term > term) return { refused: 'term' }
    for (const entry of entries) {
      if (entry.index !== disk.last.index + 1) return { refused: 'rows' }
      apply(disk.rows, entry.changes)
      disk.append(entry)
    }
    return { done: disk.last }
  }
}

const repeatOf = (entry: Entry) => ({ kind: 'repeat', index: entry.index, entry }) as const
