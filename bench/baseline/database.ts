/**
 * POST /api/v1/db/write and /api/v1/db/read with the JSON of the orchestrator's, as
 * one would write them for PostgreSQL itself.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type pg from 'pg'
import Type from 'typebox'
import type { Pools } from './pools.ts'

type Queryable = Pick<pg.ClientBase, 'query'>
type Row = Record<string, unknown>

const Param = Type.Unsafe<unknown>({})
const Statement = Type.Object({ sql: Type.String(), params: Type.Optional(Type.Array(Param)) })
const Write = Type.Object({ statements: Type.Array(Statement, { minItems: 1 }) })

export const databaseRoutes: FastifyPluginAsyncTypebox<{ pools: Pools }> = async (
  app,
  { pools }
) => {
  const statements = new Statements()
  let index = 0

  app.post('/api/v1/db/write', { schema: { body: Write } }, async request => {
    const [first, ...more] = request.body.statements
    const all = first === undefined ? [] : [first, ...more]
    // One statement is a transaction by itself.
    const done =
      more.length === 0
        ? await runAll(pools.primary, all, statements)
        : await inTransaction(pools.primary, client => runAll(client, all, statements))
    const results = done.map(({ rowCount, rows }) => ({ rowCount: rowCount ?? 0, rows }))
    index += 1
    return { requestId: randomUUID(), index, term: 1, results }
  })

  app.post('/api/v1/db/read', { schema: { body: Statement } }, async request => {
    const { sql, params = [] } = request.body
    const { fields, rows } = await pools.reading.query<Row>(statements.of(sql, params))
    const columns = fields.map(({ name, dataTypeID }) => ({ name, type: typeName(dataTypeID) }))
    return { index, workerId: 'baseline', fields: columns, rows }
  })
}

/** Named, so that PostgreSQL plans each text once per connection. */
class Statements {
  readonly #names = new Map<string, string>()

  of(text: string, values: readonly unknown[]): pg.QueryConfig {
    const name = this.#names.get(text) ?? `s${this.#names.size}`
    this.#names.set(text, name)
    return { name, text, values: [...values] }
  }
}

async function runAll(
  db: Queryable,
  all: readonly { readonly sql: string; readonly params?: unknown[] }[],
  statements: Statements
): Promise<pg.QueryResult<Row>[]> {
  const results: pg.QueryResult<Row>[] = []
  for (const { sql, params = [] } of all) {
    results.push(await db.query<Row>(statements.of(sql, params)))
  }
  return results
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>) {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (err) {
    await client.query('rollback')
    throw err
  } finally {
    client.release()
  }
}

/** Of the types that the bench uses. */
const TYPE_NAMES: Readonly<Record<number, string>> = { 20: 'int8', 23: 'int4', 25: 'text' }

const typeName = (oid: number) => TYPE_NAMES[oid] ?? String(oid)
