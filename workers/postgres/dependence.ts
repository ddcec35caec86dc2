/**
 * What the answers to a reading statement depend on, for whoever keeps answers: the
 * tables that PostgreSQL sees in it, unless something else can change its answer. It
 * is analysed and not run. See docs/decisions/read-cache.md.
 */
import type { Dependence } from '../../wire/requests.ts'
import type { ReadResult } from '../store.ts'
import { Connection, type ConnectOptions } from './connection.ts'
import { type Named, namedIn } from './query-tree.ts'
import { textArray } from './text.ts'

const BEGIN = 'begin isolation level repeatable read read only'
const SHOW_TREE = [
  'set local client_min_messages = log',
  'set local debug_pretty_print = off',
  'set local debug_print_rewritten = on'
]
const HIDE_TREE = 'set local debug_print_rewritten = off'
/** date, timestamp, timestamptz: not immutable to read, but for ISO texts they are as good as that. */
const INSTANTS = new Set([1082, 1114, 1184])
const UNKNOWN: Dependence = { tables: null, instants: [] }

/**
 * Whether everything named is immutable, and each relation a table or view of the
 * application's; then the tables, with all of a partitioned one: a change is written
 * down under the name that the statement used.
 */
const RESOLVE = `
  with relation as (
    select r.id, c.relkind in ('r', 'p', 'v') and c.relpersistence = 'p' and not c.relrowsecurity
      and c.relnamespace = 'public'::regnamespace as fits
    from unnest($1::oid[]) r (id) left join pg_catalog.pg_class c on c.oid = r.id
  ), called as (
    select id from unnest($2::oid[]) f (id)
    union select coalesce(o.oprcode, 0) from unnest($3::oid[]) p (id)
      left join pg_catalog.pg_operator o on o.oid = p.id
    union select coalesce(e.typinput, t.typinput, 0) from unnest($4::oid[]) k (id)
      left join pg_catalog.pg_type t on t.oid = k.id
      left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
      where coalesce(e.typtype, t.typtype) is distinct from 'e'
  )
  select (select coalesce(bool_and(coalesce(fits, false)), true) from relation)
      and not exists (select from called left join pg_catalog.pg_proc p on p.oid = called.id
        where p.provolatile is distinct from 'i'),
    (select coalesce(json_agg(distinct c.relname), '[]') from relation r
      cross join lateral (select r.id union
        select relid from pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(r.id))) t (id)
      join pg_catalog.pg_class c on c.oid = t.id and c.relkind <> 'v')`

/** Clients' reads and writes need connections as well. */
const AT_A_TIME = 4
const UNTOLD: ReadResult = { applied: 0, answer: { status: 503, body: '{}' } }

/** Analyses a few statements at a time; the others wait. */
export class Analyst {
  readonly #connect: ConnectOptions
  readonly #waiting: (() => void)[] = []
  #free = AT_A_TIME

  constructor(connect: ConnectOptions) {
    this.#connect = connect
  }

  /** Never rejects: nothing but what is kept rests on it, and others notice a database that is gone. */
  async dependenceOf(sql: string): Promise<ReadResult> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>(go => this.#waiting.push(go))
    try {
      return await dependenceOf(this.#connect, sql)
    } catch {
      return UNTOLD
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

/** Over a connection of its own, for it is asked once per statement. */
async function dependenceOf(connect: ConnectOptions, sql: string): Promise<ReadResult> {
  const trees: string[] = []
  await using connection = await Connection.open({
    ...connect,
    noticed: tree => trees.push(tree)
  })
  await connection.must([{ sql: BEGIN }])
  const [row] = await connection.rows('select index from convoy.log_end')
  await connection.must(SHOW_TREE.map(setting => ({ sql: setting })))
  trees.length = 0
  connection.prepare('asked', sql)
  // A statement that is refused has ended the transaction.
  const { error } = await connection.run([{ sql: HIDE_TREE }])
  const named = error === undefined ? namedIn(trees[0] ?? '') : null
  const dependence = named === null ? UNKNOWN : await resolve(connection, named)
  const applied = Number(row?.[0])
  const body = JSON.stringify({ index: applied, ...dependence })
  return { applied, answer: { status: 200, body } }
}

async function resolve(connection: Connection, named: Named): Promise<Dependence> {
  const { relations, functions, operators, constants, params } = named
  const instants = [...params].filter(([, type]) => INSTANTS.has(type)).map(([at]) => at)
  // The text of a value is read by its type's input function, which need not be immutable.
  const types = [...constants, ...[...params.values()].filter(type => !INSTANTS.has(type))]
  const values = [relations, functions, operators, types].map(ids => textArray(ids.map(String)))
  const [row] = await connection.rows(RESOLVE, values)
  if (row?.[0] !== 't') return UNKNOWN
  return { tables: JSON.parse(row[1] ?? '[]') as string[], instants }
}
