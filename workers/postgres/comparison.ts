/**
 * What two workers compare, and how: the rows of each table that holds any, partition by
 * partition, the positions of sequences, and every object of the schema by the digest of its
 * definition. When it is compared is decided elsewhere: at a `verify`, and at a schema change.
 *
 * Checksums of rows are equal where the same rows are, in whatever order they lie: hashes of
 * each row's text, as the output functions of its types write it, added up exactly.
 */
import { type Catalog, literal, publicName } from './catalog.ts'
import type { Sink } from './connection.ts'

/** One thing that is compared. */
export interface Item {
  /** `rows` of a table, `position` of a sequence, `fault` of this worker alone, or a kind of object. */
  readonly kind: string
  readonly name: string
  /** Of `rows`: how many. */
  readonly rows?: string | null
  /** Of `rows` of a partition: the table that it is a part of in the end. */
  readonly root?: string | null
  /** What has to be equal; null for an object that is not there. Of a fault: what was found. */
  readonly sum: string | null
}

/** Newest entries of the log that are checked in one run: writes wait meanwhile. */
const LOG_ENTRIES_MAX = 20_000

const COLUMNS = ['kind', 'name', 'rows', 'root', 'sum'] as const

/** The rows of one table, and of none of its partitions. */
export function rowsText(table: string, { seeds = [0], root = '' } = {}): string {
  const hashes = seeds.map(
    seed => `coalesce(sum(hashtextextended((t.*)::text, ${seed})::numeric), 0)::text`
  )
  const of = root === '' ? 'null' : literal(root)
  return `select 'rows' as kind, ${literal(table)}::text as name, count(*)::text as rows,
    ${of}::text as root, ${hashes.join(" || ':' || ")} as sum from only ${publicName(table)} t`
}

const positionText = (sequence: string) =>
  `select 'position', ${literal(sequence)}, null, null, concat(last_value, ' ', is_called)
    from ${publicName(sequence)}`

/**
 * All that `verify` compares, and the faults that a worker finds alone, as columns of an `Item`.
 * Values: the secret, and the index at which the log ends (null within a batch).
 */
export function inspectionText({ tables, sequences }: Catalog): string {
  const texts = [
    `select kind, name, null as rows, null as root, digest as sum
      from convoy.inspect($1, $2::int8, ${LOG_ENTRIES_MAX})`,
    ...[...tables.values()]
      .filter(({ holdsRows }) => holdsRows)
      .map(({ name, root }) => rowsText(name, { seeds: [0, 1], root: root ?? '' })),
    ...sequences.map(positionText)
  ]
  return texts.join(' union all ')
}

/** Collects what these statements return. */
export class Items implements Sink {
  readonly items: Item[] = []

  fields(): void {}

  row(values: readonly (string | null)[]): void {
    const fields = COLUMNS.map((column, i) => [column, values[i] ?? null])
    this.items.push(Object.fromEntries(fields) as Item)
  }
}

/** Collects rows of kind, name and digest. */
export class Objects implements Sink {
  readonly items: Item[] = []

  fields(): void {}

  row([kind, name, sum]: readonly (string | null)[]): void {
    this.items.push({ kind: kind ?? '', name: name ?? '', sum: sum ?? null })
  }
}

export const keyOf = ({ kind, name }: Item): string => `${kind} ${name}`
const textOf = ({ rows, sum }: Item): string => `${rows ?? ''} ${sum}`

/** What an operator is told: the bare name where the rows of a table differ. */
function nameOf({ kind, name }: Item): string {
  if (kind === 'rows') return name
  return kind === 'position' ? `position of sequence ${name}` : `${kind} ${name}`
}

/** What is not the same in both, sorted; and what is wrong with `ours` alone. */
export function differing(ours: readonly Item[], theirs: readonly Item[]): string[] {
  const mine = new Map(withoutFaults(ours).map(item => [keyOf(item), item]))
  const names: string[] = []
  for (const item of withoutFaults(theirs)) {
    const own = mine.get(keyOf(item))
    mine.delete(keyOf(item))
    if (own === undefined) names.push(`${nameOf(item)} (missing)`)
    else if (textOf(own) !== textOf(item)) names.push(nameOf(item))
  }
  for (const item of mine.values()) names.push(`${nameOf(item)} (not the master's)`)
  return [...names.sort(), ...faultsOf(ours)]
}

const withoutFaults = (items: readonly Item[]) => items.filter(({ kind }) => kind !== 'fault')

export const faultsOf = (items: readonly Item[]): string[] =>
  items.filter(({ kind }) => kind === 'fault').map(({ name, sum }) => `${name} ${sum}`)
