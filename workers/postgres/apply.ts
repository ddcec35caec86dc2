/**
 * The replica's side: entries become rows, in one transaction with their log rows.
 * Many entries are applied as their net effect per table. The database itself refuses a
 * later term, and rows that are not there, so that all goes with the commit in one round
 * trip. What does not fit is tried again entry by entry, then change by change, before it
 * is called a divergence: a net effect may fail where its parts do not.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Item, Mark } from '../../wire/verify.ts'
import { type Change, checksumOf, type Entry, positionOf } from '../entry.ts'
import { DivergedError, TermRaisedError } from '../store.ts'
import { SET_SEQUENCE, sequenceStep, stepsOf, truncateSteps } from './apply-steps.ts'
import { type Catalog, readCatalog } from './catalog.ts'
import { Items, positionItemsText } from './comparison.ts'
import { APPEND, appendValues, bytesOf, type LogEnd, takesLong } from './log.ts'
import { PlanError, RowPlan } from './row-plan.ts'
import { type CompareChange, compare } from './schema-check.ts'
import type { SequenceChange } from './sequences.ts'
import type { Session } from './session.ts'
import { endsSession, isContended, isDiskFull, isOfServer, isStale, lostTo } from './sql-error.ts'
import type { Outcome, SqlError, Step } from './steps.ts'
import type { Marked, Verifier } from './verifier.ts'

const BEGIN = 'begin'
const COMMIT = 'commit'
/** Locks the stored term. */
const TERM = `
  select case when term > $1 then convoy.refuse('CV100', 'a later term is known here') end
  from convoy.memory for share`
const TERM_RAISED = 'CV100'
/** Log rows and rows of one transaction, when many entries are to be caught up with. */
const CHUNK_BYTES = 16 * 1024 * 1024
const CHUNK_ENTRIES = 2_000

/** How often what failed for no reason of the entries' own is tried again, and after which pause. */
const DOUBTS_MAX = 3
const DOUBT_PAUSE_MS = 250

/** How much is applied as one net effect. */
type Grain = 'chunk' | 'entry' | 'change'
const GRAINS: readonly Grain[] = ['chunk', 'entry', 'change']

/** The rows here do not take these changes, or not in this way. */
class MisfitError extends Error {}

/** Memory ran out, say, or a file could not be read: whether it is the data here is to be seen. */
class DoubtfulError extends Error {}

/** A read was in the way of a schema change, or a plan was out of date: to be tried again. */
class ContendedError extends Error {}

interface Own {
  readonly log: LogEnd
  readonly secret: string
  readonly verifier: Verifier
}

export class Applier {
  readonly #session: Session
  readonly #log: LogEnd
  readonly #secret: string
  readonly #verifier: Verifier
  #catalog: Catalog

  private constructor(session: Session, own: Own & { catalog: Catalog }) {
    this.#session = session
    this.#log = own.log
    this.#secret = own.secret
    this.#verifier = own.verifier
    this.#catalog = own.catalog
  }

  /** To be made anew when this worker has led: its own schema changes are not seen here. */
  static async open(session: Session, own: Own): Promise<Applier> {
    session.statements.clear()
    for (const sql of [BEGIN, TERM, SET_SEQUENCE, APPEND, COMMIT]) session.statements.keep(sql)
    return new Applier(session, { ...own, catalog: await readCatalog(session.connection) })
  }

  async apply(entries: readonly Entry[], term: number): Promise<void> {
    checkChain(this.#log, entries)
    await this.#session.exclusive(async () => {
      for (const chunk of chunksOf(entries)) await this.#applyMarked(chunk, term)
    })
  }

  /** A mark is the first entry of its chunk: the snapshot is opened before anything is written. */
  async #applyMarked(entries: readonly Entry[], term: number): Promise<void> {
    const [first] = entries
    const mark = first && markIn(first)
    if (first === undefined || mark === undefined) {
      await this.#applyChunk(entries, term)
      return
    }
    const at = { index: first.index, catalog: this.#catalog }
    const marked = await this.#verifier.mark(mark, at)
    await this.#goOn(marked, () => this.#applyChunk(entries, term))
  }

  async #goOn(marked: Marked, apply: () => Promise<readonly Item[]>): Promise<void> {
    let positions: readonly Item[]
    try {
      positions = await apply()
    } catch (err) {
      marked.drop()
      throw err
    }
    marked.go(positions)
  }

  /** @returns where sequences are behind a mark that asks for it */
  async #applyChunk(entries: readonly Entry[], term: number): Promise<readonly Item[]> {
    const grains = [...GRAINS]
    let doubts = 0
    for (;;) {
      const grain = grains[0] ?? 'change'
      const own = { secret: this.#secret, makeWay: () => this.#verifier.makeWay() }
      const attempt = new ApplyAttempt(this.#session, this.#catalog, { ...own, grain, term })
      try {
        await this.#session.transaction(() => attempt.run(entries))
        const last = entries.at(-1)
        if (last !== undefined) this.#log.last = positionOf(last)
        return attempt.positions
      } catch (err) {
        if (err instanceof ContendedError) continue
        if (err instanceof DoubtfulError && doubts < DOUBTS_MAX) {
          doubts += 1
          await sleep(doubts * DOUBT_PAUSE_MS)
          continue
        }
        // The master could do it, and so can a copy of its data: nobody tries for ever.
        if (err instanceof DoubtfulError) throw new DivergedError(failed(entries, err))
        if (!(err instanceof MisfitError || err instanceof PlanError)) throw err
        grains.shift()
        if (grains.length > 0) continue
        throw new DivergedError(failed(entries, err))
      } finally {
        if (attempt.reshaped) {
          this.#session.statements.clear()
          this.#catalog = await readCatalog(this.#session.connection)
        }
      }
    }
  }
}

class ApplyAttempt {
  readonly #session: Session
  readonly #grain: Grain
  readonly #term: number
  readonly #secret: string
  readonly #makeWay: () => void
  #isOpen = false
  #catalog: Catalog
  #plan: RowPlan
  #truncates: string[] = []
  readonly #sequences = new Map<string, SequenceChange>()
  /** Whether a schema change ran, even in vain. */
  reshaped = false
  positions: readonly Item[] = []

  constructor(
    session: Session,
    catalog: Catalog,
    how: { grain: Grain; term: number; secret: string; makeWay: () => void }
  ) {
    this.#session = session
    this.#catalog = catalog
    this.#plan = new RowPlan(catalog)
    this.#grain = how.grain
    this.#term = how.term
    this.#secret = how.secret
    this.#makeWay = how.makeWay
  }

  /** In one round trip, unless the schema changes or the grain is fine. */
  async run(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      for (const change of JSON.parse(entry.changes) as Change[]) await this.#add(change, entry)
      if (this.#grain === 'entry') await this.#flush()
    }
    this.#session.checkCancelled()
    await this.#commit(entries)
  }

  /** The rows that are left, the entries themselves, and the end. */
  async #commit(entries: readonly Entry[]): Promise<void> {
    const { statements } = this.#session
    if (this.#truncates.length > 0) this.#makeWay()
    const steps = this.#take()
    const opening = this.#opening()
    const append = statements.step(APPEND, appendValues(entries))
    const all = [...opening, ...steps, append, statements.step(COMMIT)]
    const outcome = await this.#session.commit(all, takesLong(entries))
    this.#check(steps, opening.length, outcome)
  }

  /** The first exchange begins the transaction, and looks at the term that it locks. */
  #opening(): Step[] {
    if (this.#isOpen) return []
    this.#isOpen = true
    const { statements } = this.#session
    return [statements.step(BEGIN), statements.step(TERM, [String(this.#term)])]
  }

  async #send(steps: readonly Step[]): Promise<void> {
    const opening = this.#opening()
    const outcome = await this.#session.connection.run([...opening, ...steps])
    this.#check(steps, opening.length, outcome)
  }

  /** @param steps of the exchange, behind `before` others, that may fail for what the log says */
  #check(steps: readonly Step[], before: number, { tags, error }: Outcome): void {
    const { statements } = this.#session
    if (error === undefined) {
      for (const { sql } of steps) statements.ran(sql)
      return
    }
    if (error.sqlstate === TERM_RAISED) throw new TermRaisedError(error.message)
    if (tags.length < before || tags.length >= before + steps.length) throw lostTo(error)
    if (!steps.some(step => isStale(step, error))) throw misfitOf(error)
    statements.clear()
    throw new ContendedError(error.message)
  }

  async #add(change: Change, entry: Entry): Promise<void> {
    if (change.op === 'truncate') {
      if (this.#truncates.length === 0) await this.#flush()
      this.#truncates.push(change.table)
      return
    }
    if (this.#truncates.length > 0) await this.#flush()
    if (change.op === 'sql') await this.#reshape(change.sql)
    else if (change.op === 'sequence') this.#sequences.set(change.sequence, change)
    else if (change.op === 'verify') await this.#readPositions(change)
    else if (change.op === 'compare') await this.#compare(change, entry)
    else this.#plan.add(change)
    if (this.#grain === 'change') await this.#flush()
  }

  async #flush(): Promise<void> {
    if (this.#truncates.length > 0) this.#makeWay()
    const steps = this.#take()
    if (steps.length > 0) await this.#send(steps)
  }

  #take(): Step[] {
    const { statements } = this.#session
    const texts = [
      ...this.#plan.take().flatMap(stepsOf),
      ...truncateSteps(this.#truncates),
      ...[...this.#sequences.values()].map(sequenceStep)
    ]
    this.#truncates = []
    this.#sequences.clear()
    // Nothing can be prepared in a transaction that may fail.
    if (!this.#isOpen) statements.prepare(texts.map(({ sql }) => sql))
    return texts.map(({ sql, values }) => statements.step(sql, values))
  }

  /** As the role of the application, so that it owns what is made. */
  async #reshape(sql: string): Promise<void> {
    await this.#flush()
    this.reshaped = true
    this.#makeWay()
    const { connection } = this.#session
    await this.#send([{ sql: 'set local role convoy_app' }, { sql }, { sql: 'reset role' }])
    this.#session.statements.clear()
    this.#catalog = await readCatalog(connection)
    this.#plan = new RowPlan(this.#catalog)
  }

  /** No snapshot holds sequences, so they are read here, where nobody else moves them. */
  async #readPositions({ mark }: Extract<Change, { op: 'verify' }>): Promise<void> {
    if (mark?.part.kind !== 'schema') return
    await this.#flush()
    const found = new Items()
    await this.#send([{ sql: positionItemsText(this.#catalog.sequences), sink: found }])
    this.positions = found.items
  }

  async #compare(change: CompareChange, { index }: Entry): Promise<void> {
    await this.#flush()
    await compare(change, { index, secret: this.#secret }, steps => this.#send(steps))
  }
}

const failed = ([first]: readonly Entry[], { message }: Error): string =>
  `entries from ${first?.index} do not fit: ${message}`

function misfitOf(error: SqlError): Error {
  if (isContended(error)) return new ContendedError(error.message)
  if (endsSession(error) || isDiskFull(error)) return lostTo(error)
  if (isOfServer(error)) return new DoubtfulError(`${error.sqlstate} ${error.message}`)
  return new MisfitError(`${error.sqlstate} ${error.message}`)
}

function markIn({ changes }: Entry): Mark | undefined {
  if (!isMark(changes)) return undefined
  const all = JSON.parse(changes) as Change[]
  return all.flatMap(change => (change.op === 'verify' ? (change.mark ?? []) : []))[0]
}

/** Within JSON text an unescaped `"op":"` stands at the beginning of a change and nowhere else. */
const isMark = (changes: string): boolean => changes.includes('"op":"verify"')

/** The entries must be the ones that follow what is here, by index and by checksum. */
function checkChain({ last }: LogEnd, entries: readonly Entry[]): void {
  let { index, checksum } = last
  for (const entry of entries) {
    index += 1
    checksum = checksumOf(checksum, entry)
    if (entry.index !== index || entry.checksum !== checksum) {
      throw new DivergedError(`entry ${entry.index} does not follow ${index - 1}`)
    }
  }
}

function chunksOf(entries: readonly Entry[]): Entry[][] {
  const chunks: Entry[][] = []
  let open: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    const entryBytes = bytesOf(entry)
    const isFull = open.length >= CHUNK_ENTRIES || bytes + entryBytes > CHUNK_BYTES
    // Alone, as on the master: a new value of an enum, say, is good only once committed.
    const isAlone = entry.changes.includes('"op":"sql"')
    if (open.length > 0 && (isFull || isAlone || isMark(entry.changes))) {
      chunks.push(open)
      open = []
      bytes = 0
    }
    open.push(entry)
    bytes += entryBytes
    if (isAlone) bytes = CHUNK_BYTES
  }
  if (open.length > 0) chunks.push(open)
  return chunks
}
