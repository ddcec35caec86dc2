/**
 * Looks into each worker's own PostgreSQL through its socket, as the role that sets it
 * up: what a test finds there, no code of Convoy's has told it.
 */
import pg from 'pg'
import type { Test } from 'tap'
import { SETUP_ROLE } from '../../workers/postgres/server.ts'
import { until } from '../wait.ts'
import { type Cluster, type Place, placesOf, postmasterOf } from './cluster.ts'

const LEVEL_MS = 20_000
/** In one statement: planning a union of thousands takes minutes. */
const TABLES_AT_ONCE = 200

export type Row = Record<string, unknown>

/** Rows of one statement in one worker's database; every value is a string or null. */
export async function rowsIn(place: Place, sql: string): Promise<Record<string, string | null>[]> {
  const { port, socketDir } = postmasterOf(place)
  const client = new pg.Client({
    host: socketDir,
    port,
    user: SETUP_ROLE,
    password: '',
    database: 'postgres',
    connectionTimeoutMillis: 5_000,
    query_timeout: 20_000,
    types: { getTypeParser: () => (text: string) => text }
  })
  client.on('error', () => {}) // Its server may be killed; the query says so.
  await client.connect()
  try {
    return (await client.query<Record<string, string | null>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Highest index of a worker's log. */
export async function indexIn(place: Place): Promise<number> {
  const [row] = await rowsIn(place, 'select max(index) as index from convoy.log')
  return Number(row?.['index'] ?? 0)
}

/** In-sync workers, once all have applied the same last entry. Nothing may write meanwhile. */
export function levelPlaces(cluster: Cluster, more: readonly Place[] = []): Promise<Place[]> {
  return until('all workers at the same index', { withinMs: LEVEL_MS }, async () => {
    const { inSync } = await cluster.now()
    const places = [...placesOf(cluster), ...more].filter(place => inSync.includes(place.workerId))
    const indexes = await Promise.all(places.map(indexIn))
    const level = places.length === inSync.length && new Set(indexes).size === 1
    return level ? places : undefined
  })
}

/** Rows and checksum of each table, and the position of each sequence. */
export async function sumsIn(place: Place): Promise<Record<string, string>> {
  const tables = await rowsIn(
    place,
    `select format('%I', relname) as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`
  )
  const sum = ({ name }: Row) =>
    `select '${name}' as name, count(*) || ' rows, ' ||
     coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as sum from public.${name} t`
  const parts = [
    `select sequencename::text as name, 'at ' || coalesce(last_value::text, 'start') as sum
     from pg_sequences where schemaname = 'public'`,
    ...tables.map(sum)
  ]
  const sums: Record<string, string> = {}
  for (let i = 0; i < parts.length; i += TABLES_AT_ONCE) {
    const text = parts.slice(i, i + TABLES_AT_ONCE).join(' union all ')
    for (const { name, sum } of await rowsIn(place, `${text} order by 1`))
      sums[name ?? ''] = sum ?? ''
  }
  return sums
}

/** Asserts that all workers hold the same rows. @returns the sums, by table */
export async function equalOnAllWorkers(
  t: Test,
  cluster: Cluster,
  more: readonly Place[] = []
): Promise<Record<string, string>> {
  const places = await levelPlaces(cluster, more)
  const [first = {}, ...others] = await Promise.all(places.map(sumsIn))
  t.equal(others.length, 2 + more.length, 'all workers are compared')
  for (const other of others) t.strictSame(other, first)
  return first
}
