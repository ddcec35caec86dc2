/**
 * Whatever a row holds and however it came about, it reads back exactly, and is the
 * same on every worker.
 */
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { read, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { OWN_TYPES, TYPES, type TypeValues } from './values.ts'

const MIB = 1024 * 1024
const TYPES_PER_TABLE = 10
/** Enough for all values of any type, and a row without. */
const ROWS = 1 + Math.max(...TYPES.map(({ texts }) => texts.length))

const cluster = await startCluster(t)

/** A difference of mebibytes is not for printing. */
const isEqual = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

interface Verified {
  readonly tables: readonly { readonly table: string; readonly rows: string }[]
  readonly workers: readonly { readonly equal: boolean; readonly differing: readonly string[] }[]
}

/** `npm run verify`. @returns the number of rows by table */
async function verify(t: Test): Promise<Record<string, number>> {
  const { status, body } = await call(`POST ${cluster.url}/api/v1/cluster/verify`)
  t.equal(status, 200)
  const { tables, workers } = body as Verified
  t.strictSame(
    workers.map(({ equal, differing }) => ({ equal, differing })),
    Array.from({ length: 3 }, () => ({ equal: true, differing: [] }))
  )
  return Object.fromEntries(tables.map(({ table, rows }) => [table, Number(rows)]))
}

await t.test('values of every type are written, updated, deleted and read exactly', async t => {
  await write(cluster, ...OWN_TYPES.map(sql => ({ sql })))
  for (let from = 0; from < TYPES.length; from += TYPES_PER_TABLE) {
    await exactly(t, TYPES.slice(from, from + TYPES_PER_TABLE), `types_${from}`)
  }
  const counts = await verify(t)
  const tables = Object.keys(counts).filter(table => table.startsWith('types_'))
  t.equal(tables.length, Math.ceil(TYPES.length / TYPES_PER_TABLE))
  for (const table of tables) t.equal(counts[table], ROWS, `all rows of ${table} are summed`)
  await equalOnAllWorkers(t, cluster)
})

/** Two columns of each type: `kept_n` is only inserted, `changed_n` is then updated. */
async function exactly(t: Test, types: readonly TypeValues[], table: string): Promise<void> {
  const columns = types.map(({ type }, n) => `kept_${n} ${type}, changed_${n} ${type}`)
  await write(cluster, { sql: `create table ${table} (id int primary key, ${columns})` })
  const ids = Array.from({ length: ROWS }, (_, id) => id)
  const places = types.map((_, n) => `$${n + 2}, $${n + 2}`)
  const sets = types.map((_, n) => `changed_${n} = $${n + 2}`)
  const inserts = ids.map(id => ({
    sql: `insert into ${table} values ($1, ${places})`,
    params: [id, ...types.map(type => textIn(type, id))]
  }))
  const updates = ids.map(id => ({
    sql: `update ${table} set ${sets} where id = $1`,
    params: [id, ...types.map(type => textIn(type, id + 1))]
  }))
  const doomed = { sql: `insert into ${table} (id, kept_0) select id + 100, kept_0 from ${table}` }
  await write(cluster, ...inserts, doomed)
  const remove = { sql: `delete from ${table} where id >= 100`, expectRows: ROWS }
  const { index } = await write(cluster, ...updates, remove)

  const texts = types.map((_, n) => `format('%s', kept_${n}) as text_${n}`)
  const sql = `select *, ${texts} from ${table} order by id`
  const strong = await read(cluster, sql)
  const session = await read(cluster, sql, { consistency: 'session', minIndex: index })
  t.strictSame(session.rows, strong.rows, 'a replica reads what the master reads')
  for (const [n, type] of types.entries()) {
    const found = strong.rows.map(row => [row[`kept_${n}`], row[`changed_${n}`]])
    const wanted = ids.map(id =>
      [textIn(type, id), textIn(type, id + 1)].map(text => formOf(type, text))
    )
    t.strictSame(found, wanted, type.type)
    const printed = strong.rows.map(row => row[`text_${n}`])
    t.strictSame(
      printed,
      ids.map(id => textIn(type, id) ?? ''),
      `${type.type} as text`
    )
  }
}

/** Each row has another of the type's values; the last row has none. */
function textIn({ texts }: TypeValues, id: number): string | null {
  const row = id % ROWS
  return row === ROWS - 1 ? null : (texts[row % texts.length] ?? null)
}

function formOf({ json = String }: TypeValues, text: string | null): unknown {
  return text === null ? null : json(text)
}

await t.test('the clock, chance, sequences, cascades and upserts come out alike', async t => {
  await write(
    cluster,
    { sql: 'create table parent (id bigserial primary key, at timestamptz, luck float8)' },
    {
      sql: `create table child (id bigint generated always as identity primary key, label uuid,
        parent bigint references parent on delete cascade on update cascade)`
    },
    { sql: 'create table counter (name text primary key, n int not null, at timestamptz)' },
    { sql: 'create sequence ticket increment by 7' }
  )
  const parent = {
    sql: `insert into parent (at, luck) select now() + random() * interval '1 day', random()
      from generate_series(1, 50) returning *`
  }
  const child = {
    sql: `insert into child (label, parent) select gen_random_uuid(), p.id
      from parent p, generate_series(1, 3) returning *`
  }
  const ticket = { sql: "select nextval('ticket') as ticket, clock_timestamp() as at" }
  const upsert = {
    sql: `insert into counter values ($1, 1, now())
      on conflict (name) do update set n = counter.n + 1, at = excluded.at returning n`,
    params: ['hits']
  }
  const { results } = await write(cluster, parent, child, ticket, upsert, upsert)
  t.strictSame(results.at(-1), { rowCount: 1, rows: [{ n: 2 }] })
  for (const [at, table] of ['parent', 'child'].entries()) {
    const { rows } = await read(cluster, `select * from ${table} order by id`)
    t.strictSame(rows, results[at]?.rows, `what was told is what ${table} holds`)
  }
  await write(
    cluster,
    { sql: 'delete from parent where id % 2 = 0', expectRows: 25 },
    { sql: 'update parent set id = id + 1000 where id < 10', expectRows: 5 },
    ticket
  )
  t.strictSame((await read(cluster, 'select count(*) from child')).rows, [{ count: '75' }])
  t.strictSame(
    (await read(cluster, 'select count(*) from child where parent > 1000')).rows,
    [{ count: '15' }],
    'the new ids have come down to the children'
  )
  const sums = await equalOnAllWorkers(t, cluster)
  t.equal(sums['ticket'], 'at 8')
  await verify(t)
})

await t.test('a value of a mebibyte is written, changed and read exactly', async t => {
  await write(cluster, { sql: 'create table large (id int primary key, t text, b bytea, j jsonb)' })
  const text = '\u{1f6b2}"\\\n'.repeat(MIB / 8).slice(0, MIB)
  const bytes = `\\x${randomBytes(MIB).toString('hex')}`
  const document = { text: 'ü'.repeat(MIB / 2) }
  await write(cluster, {
    sql: 'insert into large values (1, $1, $2, $3), (2, null, null, null)',
    params: [text, bytes, document]
  })
  const all = 'select t, b, j from large where id = 1'
  t.ok(isEqual((await read(cluster, all)).rows, [{ t: text, b: bytes, j: document }]))
  // Not touched, the other large values are not to be lost.
  const { index } = await write(cluster, { sql: "update large set t = t || '.' where id = 1" })
  const after = await read(cluster, all, { consistency: 'session', minIndex: index })
  t.ok(isEqual(after.rows, [{ t: `${text}.`, b: bytes, j: document }]))
  await equalOnAllWorkers(t, cluster)
})

await t.test('a statement of 10,000 rows inserts, changes and deletes them', async t => {
  await write(cluster, { sql: 'create table many (id int primary key, v text, r float8)' })
  const ids = Array.from({ length: 10_000 }, (_, i) => i)
  const one = async (sql: string, params: unknown[] = []) =>
    (await write(cluster, { sql, params })).results[0]?.rowCount
  const insert = `insert into many select id, v, random() from unnest($1::int[], $2::text[]) u (id, v)`
  t.equal(await one(insert, [ids, ids.map(id => `value ${id}, "${id}"`)]), 10_000)
  t.equal(await one("update many set v = v || '!', r = random()"), 10_000)
  t.equal(await one('update many set id = id + 20000 where id % 2 = 0'), 5_000)
  t.equal(await one('delete from many where id < 20000'), 5_000)
  t.strictSame((await read(cluster, 'select count(*), min(v) from many')).rows, [
    { count: '5000', min: 'value 0, "0"!' }
  ])
  await equalOnAllWorkers(t, cluster)
  t.equal((await verify(t))['many'], 5_000)
})
