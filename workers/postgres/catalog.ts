/**
 * What the worker knows of the application's tables and sequences: enough to apply
 * rows by key, to follow sequences and to sum tables. Read anew after each schema
 * change.
 */
import type { Connection } from './connection.ts'

export interface Column {
  readonly name: string
  /** Of this column in the key, from 0; -1 when it is not part of it. */
  readonly keyAt: number
  readonly type: string
  readonly generated: boolean
}

export interface Table {
  readonly name: string
  /** In the order in which they stand in a row's text. */
  readonly columns: readonly Column[]
  /** False of a partitioned table: its partitions do. */
  readonly holdsRows: boolean
  /** Of a partition: the table that it is a part of in the end. */
  readonly root: string | null
}

export interface Catalog {
  readonly tables: ReadonlyMap<string, Table>
  readonly sequences: readonly string[]
}

const COLUMNS = `
  select c.relname, c.relkind, r.relname, a.attname, pg_catalog.format_type(a.atttypid, -1),
    a.attgenerated <> '', coalesce(array_position(p.conkey, a.attnum), 0)
  from pg_catalog.pg_class c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
  left join pg_catalog.pg_class r on c.relispartition and r.oid = pg_catalog.pg_partition_root(c.oid)
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  order by c.relname, a.attnum`

const SEQUENCES = `
  select relname from pg_catalog.pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'S' order by relname`

export const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
export const publicName = (name: string) => `public.${identifier(name)}`

export async function readCatalog(connection: Connection): Promise<Catalog> {
  const [columns, sequences] = await Promise.all([
    connection.rows(COLUMNS),
    connection.rows(SEQUENCES)
  ])
  const tables = new Map<string, Table & { columns: Column[] }>()
  for (const [table, kind, root, name, type, generated, keyAt] of columns as string[][]) {
    if (table === undefined) continue
    let known = tables.get(table)
    if (known === undefined) {
      known = { name: table, columns: [], holdsRows: kind === 'r', root: root ?? null }
      tables.set(table, known)
    }
    known.columns.push({
      name: name ?? '',
      type: type ?? '',
      generated: generated === 't',
      keyAt: Number(keyAt) - 1
    })
  }
  return { tables, sequences: sequences.map(([name]) => name ?? '') }
}

/** The key's columns in the key's order. */
export const keyColumns = (table: Table): Column[] =>
  table.columns.filter(column => column.keyAt >= 0).sort((a, b) => a.keyAt - b.keyAt)
