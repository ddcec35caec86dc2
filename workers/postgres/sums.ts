/**
 * Sums of tables, equal where the same rows are, in whatever order they lie: two
 * 64-bit hashes of each row's text, added up exactly.
 */
import type { TableSum } from '../store.ts'
import { type Catalog, publicName } from './catalog.ts'
import type { Sink } from './connection.ts'

/** Undefined when there are no tables. Columns: table, rows, sum. */
export function sumsText({ tables }: Catalog): string | undefined {
  const texts = [...tables.values()]
    .filter(table => !table.isPartition)
    .map(({ name }) => {
      const hash = (seed: number) =>
        `coalesce(sum(hashtextextended((t.*)::text, ${seed})::numeric), 0)::text`
      return `select '${name.replaceAll("'", "''")}'::text as "table", count(*)::text as rows,
        ${hash(0)} || ':' || ${hash(1)} as sum from ${publicName(name)} t`
    })
  return texts.length === 0 ? undefined : `${texts.join(' union all ')} order by 1`
}

export class Sums implements Sink {
  readonly sums: TableSum[] = []

  fields(): void {}

  row([table, rows, sum]: readonly (string | null)[]): void {
    this.sums.push({ table: table ?? '', rows: rows ?? '', sum: sum ?? '' })
  }
}

/** Names of tables that are not the same in both. */
export function differing(ours: readonly TableSum[], theirs: readonly TableSum[]): string[] {
  const text = ({ rows, sum }: TableSum) => `${rows} ${sum}`
  const mine = new Map(ours.map(sum => [sum.table, text(sum)]))
  const others = new Map(theirs.map(sum => [sum.table, text(sum)]))
  const names = new Set([...mine.keys(), ...others.keys()])
  return [...names].filter(name => mine.get(name) !== others.get(name)).sort()
}
