/**
 * The replica's side: entries become rows, in one transaction with their log rows.
 * Many entries are applied as their net effect per table, and the counts of rows
 * checked. What does not fit is tried again entry by entry, then change by change,
 * before it is called a divergence: a net effect may fail where its parts do not.
 */
import { type Change, checksumOf, type Entry, positionOf } from '../entry.ts'
import { DivergedError, type TableSum, TermRaisedError, type Verified } from '../store.ts'
import { type Catalog, identifier, keyColumns, publicName, readCatalog } from './catalog.ts'
import type { Outcome, Step } from './connection.ts'
import { APPEND, appendValues, type LogEnd } from './log.ts'
import { isOfTheServer } from './refusals.ts'
import { PlanError, RowPlan, type TableWork } from './row-plan.ts'
import type { SequenceChange } from './sequences.ts'
import type { Session } from './session.ts'
import { isContended, isStale, lostTo, type SqlError } from './sql-error.ts'
import { differing, Sums, sumsText } from './sums.ts'
import { textArray } from './text.ts'

const BEGIN = 'begin'
const COMMIT = 'commit'
const TERM = 'select term from convoy.memory for share'
const SET_SEQUENCE = 'select setval($1::regclass, $2, $3)'
/** Log rows and rows of one transaction, when many entries are to be caught up with. */
const CHUNK_BYTES = 16 * 1024 * 1024
const CHUNK_ENTRIES = 2_000

/** How much is applied as one net effect. */
type Grain = 'chunk' | 'entry' | 'change'
const GRAINS: readonly Grain[] = ['chunk', 'entry', 'change']

interface Work {
  readonly step: Step
  readonly table?: string
  /** Rows that the step must touch. */
  readonly rows?: number
}

/** The rows here do not take these changes, or not in this way. */
class MisfitError extends Error {}

/** A read was in the way of a schema change, or a plan was out of date: to be tried again. */
class ContendedError extends Error {}

export class Applier {
  readonly #session: Session
  readonly #log: LogEnd
  #catalog: Catalog
  verified: Verified | null = null

  private constructor(session: Session, log: LogEnd, catalog: Catalog) {
    this.#session = session
    this.#log = log
    this.#catalog = catalog
  }

  /** To be made anew when this worker has led: its own schema changes are not seen here. */
  static async open(session: Session, log: LogEnd): Promise<Applier> {
    session.statements.clear()
    for (const sql of [BEGIN, TERM, SET_SEQUENCE, APPEND, COMMIT]) session.statements.keep(sql)
    return new Applier(session, log, await readCatalog(session.connection))
  }

  async apply(entries: readonly Entry[], term: number): Promise<void> {
    checkChain(this.#log, entries)
    await this.#session.exclusive(async () => {
      for (const chunk of chunksOf(entries)) await this.#applyChunk(chunk, term)
    })
  }

  async #applyChunk(entries: readonly Entry[], term: number): Promise<void> {
    const grains = [...GRAINS]
    for (;;) {
      const grain = grains[0] ?? 'change'
      const attempt = new ApplyAttempt(this.#session, this.#catalog, { grain, term })
      try {
        await this.#session.transaction(() => attempt.run(entries))
        const last = entries.at(-1)
        if (last !== undefined) this.#log.last = positionOf(last)
        this.verified = attempt.verified ?? this.verified
        return
      } catch (err) {
        if (err instanceof ContendedError) continue
        if (!(err instanceof MisfitError || err instanceof PlanError)) throw err
        grains.shift()
        if (grains.length > 0) continue
        throw new DivergedError(`entries from ${entries[0]?.index} do not fit: ${err.message}`)
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
  #isOpen = false
  #catalog: Catalog
  #plan: RowPlan
  #truncates: string[] = []
  readonly #sequences = new Map<string, SequenceChange>()
  /** Whether a schema change ran, even in vain. */
  reshaped = false
  verified: Verified | undefined

  constructor(session: Session, catalog: Catalog, how: { grain: Grain; term: number }) {
    this.#session = session
    this.#catalog = catalog
    this.#plan = new RowPlan(catalog)
    this.#grain = how.grain
    this.#term = how.term
  }

  /** In two round trips, as a rule: [begin, rows], then [log rows, commit]. */
  async run(entries: readonly Entry[]): Promise<void> {
    const { statements } = this.#session
    for (const entry of entries) {
      for (const change of JSON.parse(entry.changes) as Change[]) await this.#add(change, entry)
      if (this.#grain === 'entry') await this.#flush()
    }
    await this.#flush()
    // The term is looked at before anything is committed, also where no row has changed.
    if (!this.#isOpen) await this.#send([])
    this.#session.checkCancelled()
    const append = statements.step(APPEND, appendValues(entries))
    const { error } = await this.#session.commit([append, statements.step(COMMIT)])
    if (error !== undefined) throw lostTo(error)
  }

  /** The first exchange begins the transaction, and looks at the term that it locks. */
  async #send(steps: readonly Step[]): Promise<Outcome> {
    const { connection, statements } = this.#session
    if (this.#isOpen) return connection.run(steps)
    this.#isOpen = true
    let stored = Number.NaN
    const sink = {
      fields: () => undefined,
      row: ([term]: readonly (string | null)[]) => {
        stored = Number(term)
      }
    }
    const opening = [statements.step(BEGIN), statements.step(TERM, [], sink)]
    const { tags, error } = await connection.run([...opening, ...steps])
    if (stored > this.#term) throw new TermRaisedError('a later term is known here')
    if (tags.length < opening.length && error !== undefined) throw lostTo(error)
    return { tags: tags.slice(opening.length), ...(error !== undefined && { error }) }
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
    else if (change.op === 'verify') await this.#verify(entry)
    else this.#plan.add(change)
    if (this.#grain === 'change') await this.#flush()
  }

  async #flush(): Promise<void> {
    const works = [
      ...this.#plan.take().flatMap(worksOf),
      ...truncateWorks(this.#truncates),
      ...[...this.#sequences.values()].map(sequenceWork)
    ]
    this.#truncates = []
    this.#sequences.clear()
    await this.#do(works)
  }

  async #do(works: readonly Work[]): Promise<void> {
    if (works.length === 0) return
    const { statements } = this.#session
    // Nothing can be prepared in a transaction that may fail.
    if (!this.#isOpen) statements.prepare(works.map(({ step }) => step.sql))
    const steps = works.map(({ step }) => statements.step(step.sql, step.values))
    const { tags, error } = await this.#send(steps)
    if (error !== undefined) {
      if (!steps.some(step => isStale(step, error))) throw misfitOf(error)
      statements.clear()
      throw new ContendedError(error.message)
    }
    for (const [i, { rows, step, table }] of works.entries()) {
      const touched = Number(/\d+$/.exec(tags[i] ?? '')?.[0] ?? 0)
      if (rows !== undefined && touched !== rows) {
        throw new MisfitError(`table ${table}: ${touched} rows where the log speaks of ${rows}`)
      }
      statements.ran(step.sql)
    }
  }

  /** As the role of the application, so that it owns what is made. */
  async #reshape(sql: string): Promise<void> {
    await this.#flush()
    this.reshaped = true
    const { connection } = this.#session
    const { error } = await this.#send([
      { sql: 'set local role convoy_app' },
      { sql },
      { sql: 'reset role' }
    ])
    if (error !== undefined) throw misfitOf(error)
    this.#session.statements.clear()
    this.#catalog = await readCatalog(connection)
    this.#plan = new RowPlan(this.#catalog)
  }

  async #verify(entry: Entry): Promise<void> {
    await this.#flush()
    const sql = sumsText(this.#catalog)
    const ours = new Sums()
    const { error } = sql === undefined ? {} : await this.#send([{ sql, sink: ours }])
    if (error !== undefined) throw misfitOf(error)
    const results = JSON.parse(entry.result) as { rows: TableSum[] }[]
    const theirs = results.flatMap(result => result.rows)
    this.verified = { index: entry.index, differing: differing(ours.sums, theirs) }
  }
}

/** Keys first, all of them: a row may come that takes what another gives up. */
function worksOf({ table, keys, gone, rows }: TableWork): Work[] {
  const works: Work[] = []
  if (keys.length > 0) {
    const columns = keyColumns(table)
    const places = columns.map((_, i) => `$${i + 1}::text[]`).join(', ')
    const names = columns.map((_, i) => `c${i}`).join(', ')
    const match = columns.map(({ name, type }, i) => `t.${identifier(name)} = k.c${i}::${type}`)
    const from = `delete from ${publicName(table.name)} t using unnest(${places}) k(${names})`
    const values = columns.map((_, i) => textArray(keys.map(key => key[i] ?? null)))
    const sql = `${from} where ${match.join(' and ')}`
    works.push({ step: { sql, values }, table: table.name, rows: gone })
  }
  if (rows.length > 0) {
    const columns = table.columns.filter(column => !column.generated).map(c => identifier(c.name))
    const into = `insert into ${publicName(table.name)} (${columns.join(', ')})`
    const values = columns.map(name => `r.${name}`).join(', ')
    const from = `unnest($1::text[]::${publicName(table.name)}[]) r`
    const sql = `${into} overriding system value select ${values} from ${from}`
    works.push({ step: { sql, values: [textArray(rows)] }, table: table.name, rows: rows.length })
  }
  return works
}

/** In one statement: tables that refer to each other are emptied together or not at all. */
function truncateWorks(tables: readonly string[]): Work[] {
  if (tables.length === 0) return []
  return [{ step: { sql: `truncate ${[...new Set(tables)].map(publicName).join(', ')}` } }]
}

const sequenceWork = ({ sequence, last, called }: SequenceChange): Work => ({
  step: { sql: SET_SEQUENCE, values: [publicName(sequence), last, String(called)] }
})

function misfitOf(error: SqlError): Error {
  if (isContended(error)) return new ContendedError(error.message)
  if (isOfTheServer(error)) return lostTo(error)
  return new MisfitError(`${error.sqlstate} ${error.message}`)
}

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
    const entryBytes = entry.changes.length + entry.result.length
    const isFull = open.length >= CHUNK_ENTRIES || bytes + entryBytes > CHUNK_BYTES
    // Alone, as on the master: a new value of an enum, say, is good only once committed.
    const isAlone = entry.changes.includes('"op":"sql"')
    if (open.length > 0 && (isFull || isAlone)) {
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
