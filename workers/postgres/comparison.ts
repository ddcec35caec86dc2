/**
 * What two workers compare, and how: the rows of each table that holds any, partition by
 * partition, the positions of sequences, and every object of the schema by the digest of its
 * definition. When it is compared is decided elsewhere: in a verification, and at a schema change.
 *
 * Checksums of rows are equal where the same rows are, in whatever order they lie: hashes of
 * each row's text, as the output functions of its types write it, added up exactly.
 */
import type { Item } from '../../wire/verify.ts'
import { literal, publicName } from './catalog.ts'
import type { Sink } from './steps.ts'

export type { Item } from '../../wire/verify.ts'

const COLUMNS = ['kind', 'name', 'rows', 'root', 'sum'] as const

/** The rows of one table, and of none of its partitions. */
export const rowsText = (table: string): string =>
  `select 'rows' as kind, ${literal(table)}::text as name, count(*)::text as rows,
    null::text as root, coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0)::text as sum
    from only ${publicName(table)} t`

/** Positions of sequences as items. Sequences are in no snapshot: this tells where they are now. */
export function positionItemsText(sequences: readonly string[]): string {
  const none = 'select null, null, null, null, null where false'
  const texts = sequences.map(
    name => `select 'position' as kind, ${literal(name)} as name, null as rows, null as root,
      concat(last_value, ' ', is_called) as sum from ${publicName(name)}`
  )
  return texts.length === 0 ? none : texts.join(' union all ')
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
