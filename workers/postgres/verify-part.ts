/**
 * Computes one part of a verification, in a snapshot that was opened for it. What concerns
 * this worker alone (indexes, the log) is looked at outside of the snapshot, piece by piece
 * and with pauses.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Item, Key, Part, Problem, Range, TableSize } from '../../wire/verify.ts'
import { type Catalog, identifier, keyColumns, literal, publicName, type Table } from './catalog.ts'
import { Items, Objects } from './comparison.ts'
import type { Connection } from './connection.ts'
import { checkLog } from './log-check.ts'
import type { SqlError, Step } from './steps.ts'

/** Of the time, beside what is paced by whoever asks for parts. */
const SHARE = 1 / 4
const SLOW = '57014'
/** Newest entries that are looked at; all of them are, in time (scrub.ts). */
const LOG_ENTRIES_MAX = 20_000
const INSPECT = 'select kind, name, digest from convoy.inspect($1)'
const SIZES = `
  select relname, pg_catalog.pg_table_size(oid) from pg_catalog.pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'r'`
const INDEX_FAULT = 'select convoy.index_fault($1, $2)'
/** Whatever the statistics say of a table that was filled just now. */
const BY_KEY = ['enable_seqscan', 'enable_sort', 'enable_bitmapscan'].map(name => ({
  sql: `set local ${name} = off`
}))
/** Of one index, by schema changes. */
const INTERRUPTED_MAX = 5

export interface Found {
  readonly items: readonly Item[]
  readonly ends: Readonly<Record<string, Key | null>>
  readonly tables: readonly TableSize[]
}

export interface Own {
  readonly connection: Connection
  readonly catalog: Catalog
  readonly secret: string
  /** Of the entry that asks. */
  readonly index: number
}

export class PartError extends Error {
  readonly problem: Problem

  constructor(problem: Problem, message: string) {
    super(message)
    this.problem = problem
  }
}

/** @throws PartError */
export async function computePart(part: Part, own: Own): Promise<Found> {
  switch (part.kind) {
    case 'schema':
      return schemaPart(own)
    case 'rows':
      return rowsPart(part.ranges, own)
    case 'indexes':
      return { items: await indexFaults(part.names, own), ends: {}, tables: [] }
    case 'log':
      return { items: await logFaults(own), ends: {}, tables: [] }
  }
}

async function schemaPart({ connection, secret }: Own): Promise<Found> {
  const objects = new Objects()
  await must(connection, [{ sql: INSPECT, values: [secret], sink: objects }])
  const sizes = await connection.rows(SIZES)
  const tables = sizes.map(([name, bytes]) => ({ name: name ?? '', bytes: Number(bytes) }))
  return { items: objects.items, ends: {}, tables }
}

async function rowsPart(ranges: readonly Range[], own: Own): Promise<Found> {
  const { connection, catalog } = own
  const items = new Items()
  const ends: Record<string, Key | null> = {}
  await must(connection, BY_KEY)
  for (const range of ranges) {
    const table = catalog.tables.get(range.table)
    // One that is not here shows as an object that is missing.
    if (table === undefined || !table.holdsRows) continue
    const before = items.items.length
    await must(connection, [{ ...rangeStep(table, range), sink: items }])
    const isFull = Number(items.items[before]?.rows) >= range.rows
    const [end] = isFull ? await connection.rows(...endOf(table, range)) : []
    ends[range.table] = end === undefined ? null : end.map(text => text ?? '')
  }
  return { items: items.items, ends, tables: [] }
}

const namesOf = (table: Table) => keyColumns(table).map(({ name }) => `t.${identifier(name)}`)

function fromText(table: Table, { after }: Range): string {
  const from = `from only ${publicName(table.name)} t`
  if (after === null) return from
  const values = keyColumns(table).map(({ type }, i) => `$${i + 1}::${type}`)
  return `${from} where row(${namesOf(table)}) > row(${values})`
}

/** Checksums add up, whatever order the rows come in. */
function rangeStep(table: Table, range: Range): Step {
  const sums = [0, 1].map(
    seed => `coalesce(sum(pg_catalog.hashtextextended(r.x, ${seed})::numeric), 0)::text`
  )
  const names = namesOf(table)
  // Without a key there is no order, and no second range.
  const first = names.length === 0 ? '' : `order by ${names} limit ${Number(range.rows)}`
  const sql = `
    select 'rows', ${literal(table.name)}::text, count(*)::text,
      ${table.root === null ? 'null' : literal(table.root)}::text, ${sums.join(" || ':' || ")}
    from (select (t.*)::text as x ${fromText(table, range)} ${first}) r`
  return { sql, values: range.after === null ? [] : [...range.after] }
}

function endOf(table: Table, range: Range): [string, string[]] {
  const names = namesOf(table)
  if (names.length === 0) return ['select null where false', []]
  const texts = names.map(name => `${name}::text`)
  const place = `order by ${names} offset ${Number(range.rows) - 1} limit 1`
  return [`select ${texts} ${fromText(table, range)} ${place}`, [...(range.after ?? [])]]
}

/** Each in a transaction of its own: a lock on its table is held no longer than that takes. */
async function indexFaults(names: readonly string[], own: Own): Promise<Item[]> {
  const { connection, secret } = own
  const faults: Item[] = []
  for (const name of names) {
    const found = await indexFault(connection, [secret, name])
    if (found !== null) faults.push({ kind: 'fault', name: `index ${name}`, sum: found })
  }
  return faults
}

async function indexFault(connection: Connection, values: string[]): Promise<string | null> {
  for (let tries = 1; ; tries++) {
    const beganMs = performance.now()
    let found: string | null = null
    const sink = {
      fields: () => undefined,
      row: ([text]: readonly (string | null)[]) => {
        found = text ?? null
      }
    }
    const { error } = await connection.run([{ sql: INDEX_FAULT, values, sink }])
    await sleep((performance.now() - beganMs) * (1 / SHARE - 1))
    if (error === undefined) return found
    // A schema change was in the way.
    if (tries >= INTERRUPTED_MAX) throw partError(error)
  }
}

async function logFaults({ connection, secret, index }: Own): Promise<Item[]> {
  const faults: Item[] = []
  const after = Math.max(0, index - 1 - LOG_ENTRIES_MAX)
  for await (const piece of checkLog(connection, {
    secret,
    after,
    upto: index - 1,
    share: SHARE
  })) {
    for (const { name, found } of piece.faults) faults.push({ kind: 'fault', name, sum: found })
  }
  // They come in crowds.
  return faults.slice(0, 5)
}

async function must(connection: Connection, steps: readonly Step[]): Promise<void> {
  const { error } = await connection.run(steps)
  if (error !== undefined) throw partError(error)
}

const partError = ({ sqlstate, message }: SqlError): PartError =>
  new PartError(sqlstate === SLOW ? 'slow' : 'failed', `${sqlstate} ${message}`)
