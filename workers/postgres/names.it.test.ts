/**
 * Names of every odd kind: whatever is admitted and made can be filled, changed, emptied,
 * verified, renamed and dropped again, on the master and on a replica.
 */
import t from 'tap'
import { examine } from '../../orchestrator/admission/examine.ts'
import { openParser } from '../../orchestrator/admission/parser.ts'
import { below, command, type Pair, rowsOf, startPair } from '../../testing/fixtures/postgres.ts'
import { identifier } from './catalog.ts'

const parser = await openParser()
const LONG = 'n'.repeat(62)

const NAMES = [
  'convoy_orders',
  'convoy_',
  'convoy_insert',
  'convoy_truncate',
  'convoy_keys',
  'convoy_app',
  'convoy',
  'Convoy_Migrations',
  'log',
  'results',
  'capture_insert',
  'UPPER',
  'select',
  'user',
  'public',
  'pg_temp',
  'a b',
  ' ',
  'a.b',
  'public.a',
  'quote"d',
  '""',
  "it's",
  'back\\slash',
  'new\nline',
  'tab\t',
  '%s',
  '$1',
  '$$',
  '{}',
  ':a',
  '-- x',
  '/*',
  ';',
  '😀',
  'é',
  'e\u0301',
  '\ufeff',
  '\u202egnp',
  `${LONG}a`,
  'ü'.repeat(31),
  '1st',
  'null',
  'information_schema',
  'pg_toast',
  'int4',
  '_a'
]

interface Run {
  readonly status: number
  readonly reason: string
}

/** As a client would: 400 where admission refuses. */
async function send({ run }: Pair, sql: string): Promise<Run> {
  let kind: ReturnType<typeof examine>['kind']
  try {
    ;({ kind } = examine(parser, sql))
  } catch (error) {
    return { status: 400, reason: (error as Error).message }
  }
  const [entry] = await run(command([{ sql, kind }]))
  return { status: entry?.status ?? 0, reason: entry?.result ?? '' }
}

t.test('what can be made with a name can be used and dropped by it', async t => {
  const pair = await startPair(t)
  const good = async (sql: string) => {
    const { status, reason } = await send(pair, sql)
    t.equal(status, 200, `${sql}: ${reason}`)
  }
  for (const name of NAMES) {
    const id = identifier(name)
    await good(`create table ${id} (${id} int primary key, b text default 'x')`)
    await good(`insert into ${id} values (1), (2)`)
    await good(`update ${id} set ${id} = ${id} + 10 where ${id} = 2`)
    await good(`alter table ${id} add column "c ${name.replaceAll('"', '""').slice(0, 20)}" int`)
    await good(`create index ${identifier(`i${name.slice(0, 20)}`)} on ${id} (b)`)
    t.strictSame(await pair.differing(), [], name)
    t.strictSame((await rowsOf(pair.replica.store, `select * from ${id}`)).length, 2, name)
    await pair.run(command([{ kind: 'clear' }]))
    t.strictSame(await rowsOf(pair.replica.store, `select * from ${id}`), [], name)
    await good(`insert into ${id} values (3)`)
    await good(`truncate ${id}`)
    await good(`alter table ${id} rename to renamed`)
    await good(`alter table renamed rename to ${id}`)
    await good(`drop table ${id}`)
    await good(`create view ${id} as select 1 as ${id}`)
    await good(`drop view ${id}`)
    await good(`create sequence ${id}`)
    await good(`drop sequence ${id}`)
    await good(`create type ${id} as enum ('a')`)
    await good(`drop type public.${id}`) // others may be meant without a schema
    await good(`create type ${id} as (${id} int)`)
    await good(`drop type public.${id}`) // others may be meant without a schema
  }
  t.strictSame(await pair.differing(), [])
  t.equal(await below(pair.replica.server, LEFT), '0', 'nothing is left')
})

const LEFT = `select count(*) from pg_class where relnamespace = 'public'::regnamespace`

t.test('names that PostgreSQL cuts to 63 bytes are one name, and can be dropped', async t => {
  const pair = await startPair(t)
  const [one, two] = [`${LONG}ab`, `${LONG}ac`]
  t.equal((await send(pair, `create table ${one} (id int primary key)`)).status, 200)
  t.equal((await send(pair, `create table ${two} (id int primary key)`)).status, 400)
  t.equal((await send(pair, `create table ${'ü'.repeat(40)} (id int primary key)`)).status, 200)
  t.equal((await send(pair, `create table "A" (id int primary key)`)).status, 200)
  t.equal((await send(pair, `create table a (id int primary key)`)).status, 200)
  t.equal((await send(pair, `insert into ${two} values (1)`)).status, 200)
  t.strictSame(await pair.differing(), [])
  await pair.run(command([{ kind: 'clear' }]))
  for (const name of [two, 'ü'.repeat(40), '"A"', 'a']) {
    t.equal((await send(pair, `drop table ${name}`)).status, 200, name)
  }
  t.equal(await below(pair.replica.server, LEFT), '0')
})

t.test('nothing is made in a schema but public, nor with the name of a system column', async t => {
  const pair = await startPair(t)
  for (const schema of ['pg_catalog', 'pg_temp', 'information_schema', 'convoy', 'pg_toast', 'x']) {
    for (const made of ['table S.t (id int primary key)', 'view S.v as select 1', 'sequence S.s']) {
      const sql = `create ${made.replace('S', schema)}`
      t.equal((await send(pair, sql)).status, 400, sql)
    }
    t.equal((await send(pair, `create type ${schema}.e as enum ('a')`)).status, 400, schema)
  }
  for (const column of ['ctid', 'xmin', 'tableoid', 'cmax']) {
    const sql = `create table t (id int primary key, ${column} int)`
    t.equal((await send(pair, sql)).status, 400, column)
  }
  t.equal((await send(pair, 'create table public.t (id int primary key)')).status, 200)
  t.equal((await send(pair, 'drop table public.t')).status, 200)
  t.strictSame(await pair.differing(), [])
})
