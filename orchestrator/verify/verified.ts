/**
 * What a verification found to be right, as it is shown to whoever asked. Pure. A partitioned
 * table stands beside its partitions, with what these come to.
 */
import type { Item } from '../../wire/verify.ts'

export interface TableSum {
  readonly table: string
  readonly rows: string
  readonly sum: string
}

/** @returns tables by name, and how many objects of each kind were compared */
export function readVerified(items: readonly Item[]) {
  const tables = new Map<string, TableSum>()
  const objects: Record<string, number> = {}
  for (const { kind, name, rows, root, sum } of items) {
    objects[kind] = (objects[kind] ?? 0) + 1
    if (kind !== 'rows' || rows == null || sum === null) continue
    tables.set(name, { table: name, rows, sum })
    if (root != null) tables.set(root, { table: root, ...added(tables.get(root), { rows, sum }) })
  }
  const byName = [...tables.values()].sort((a, b) => (a.table < b.table ? -1 : 1))
  return { tables: byName, objects }
}

type RowSum = Pick<TableSum, 'rows' | 'sum'>

/** Row counts and checksums of disjoint sets of rows add up. */
export function added(one: RowSum | undefined, other: RowSum): RowSum {
  const rows = String(BigInt(one?.rows ?? 0) + BigInt(other.rows))
  const sums = one?.sum.split(':') ?? []
  const sum = other.sum.split(':').map((part, i) => String(BigInt(part) + BigInt(sums[i] ?? 0)))
  return { rows, sum: sum.join(':') }
}
