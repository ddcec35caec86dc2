import t from 'tap'
import type { ServiceError } from '../../wire/errors.ts'
import type { Param } from '../../wire/requests.ts'
import { openAdmission } from './admission.ts'
import { openParser } from './parser.ts'

const admission = openAdmission(await openParser())

const kindOf = async (sql: string) =>
  JSON.parse((await admission.write([{ sql }])).statements)[0].kind

async function refusal(attempt: () => Promise<unknown>): Promise<ServiceError> {
  try {
    await attempt()
  } catch (error) {
    return error as ServiceError
  }
  throw new Error('was admitted')
}

const TAKEN: Record<string, string> = {
  'select 1': 'read',
  'values (1), (2)': 'read',
  'table users': 'read',
  'select * from users for update': 'read',
  "select 'drop table users; commit'": 'read',
  'select 1;': 'read',
  'with a as (select 1) select * from a': 'read',
  'insert into t (a) values (1) on conflict (a) do update set a = 2 returning *': 'dml',
  'update t set a = 1 from u where t.id = u.id': 'dml',
  'delete from t using u where t.id = u.id': 'dml',
  'merge into t using s on t.a = s.a when matched then delete when not matched then insert values (s.a)':
    'dml',
  'with gone as (delete from t returning *) select count(*) from gone': 'dml',
  'with n as (select 1 as a) insert into t select a from n': 'dml',
  'truncate t, u restart identity cascade': 'truncate',
  'create table t (id bigint generated always as identity primary key, at timestamptz default now())':
    'ddl',
  'create table if not exists t (a int, b serial, primary key (a, b), check (a > 0))': 'ddl',
  "create table t (id int primary key, word text default 'now')": 'ddl',
  'create table t (id int primary key references u on delete cascade, d int generated always as (id * 2) stored)':
    'ddl',
  'create table p (id int primary key) partition by range (id)': 'ddl',
  'create table p1 partition of p for values from (minvalue) to (10)': 'ddl',
  'create table t (like u including all)': 'ddl',
  'alter table t add column a int not null default -5': 'ddl',
  "alter table t add column a text[] default array['x', 'y']": 'ddl',
  "alter table t add column a jsonb default '{}'::jsonb": 'ddl',
  'alter table t add column a int references u (id)': 'ddl',
  'alter table t add column d int generated always as (id * 2) stored': 'ddl',
  'alter table t alter column at set default now()': 'ddl',
  'alter table t alter column a type int using (length(a) + 1)': 'ddl',
  'alter table t add constraint c check (length(a) < 10)': 'ddl',
  'alter table t rename column a to b': 'ddl',
  'alter table t rename to u': 'ddl',
  'alter table p attach partition p1 for values in (1, 2)': 'ddl',
  'drop table if exists t, u cascade': 'ddl',
  'create unique index on t (lower(a)) where b > 0': 'ddl',
  'drop index i': 'ddl',
  'create table if not exists convoy_migrations (a int primary key)': 'ddl',
  'create table convoy_orders (convoy_id int primary key)': 'ddl',
  'drop table convoy_orders, "convoy_", "Convoy_migrations"': 'ddl',
  'truncate convoy_orders': 'truncate',
  'alter table convoy_orders rename to convoy_': 'ddl',
  'alter table t rename column a to convoy_migrations': 'ddl',
  'create or replace view v as select now(), current_date, * from t': 'ddl',
  'drop view v': 'ddl',
  "create type mood as enum ('sad', 'ok')": 'ddl',
  "alter type mood add value 'happy'": 'ddl',
  'create type pair as (a int, b int)': 'ddl',
  'create type span as range (subtype = int4)': 'ddl',
  'create sequence s start 10': 'ddl',
  'alter sequence s restart with 5': 'ddl'
}

t.test('what runs alike on every worker is taken, and its kind is told', async t => {
  for (const [sql, kind] of Object.entries(TAKEN)) t.equal(await kindOf(sql), kind, sql)
})

const REFUSED = [
  '',
  ' -- nothing',
  ';;',
  'select 1; select 2',
  'begin',
  'COMMIT',
  'rollback to savepoint a',
  'savepoint a',
  "prepare transaction 'x'",
  'set role postgres',
  'set local statement_timeout = 0',
  'reset all',
  'show all',
  'copy users to stdout',
  "copy users from program 'id'",
  'lock table users',
  'vacuum',
  'analyze users',
  'explain analyze delete from users',
  'cluster users',
  'reindex table users',
  'checkpoint',
  'listen x',
  "notify x, 'y'",
  'prepare p as select 1',
  'execute p',
  'deallocate all',
  'declare c cursor for select 1',
  'fetch all from c',
  'call p()',
  'discard all',
  'do $$ begin end $$',
  "create function f() returns int language sql as 'select 1'",
  'create procedure p() language sql as $$ select 1 $$',
  'create trigger a after insert on t execute function f()',
  'create rule r as on insert to t do nothing',
  'create policy p on t',
  'create role r',
  'alter role postgres superuser',
  'grant all on t to public',
  'reassign owned by a to b',
  'create schema s',
  'create extension dblink',
  'create domain d as int',
  'create aggregate a (int) (sfunc = f, stype = int)',
  'create database d',
  'create tablespace s location $$/tmp$$',
  'create publication p for all tables',
  "create subscription s connection '' publication p",
  'create foreign table f (a int) server s',
  'create materialized view m as select 1',
  'create event trigger e on ddl_command_end execute function f()',
  'comment on table t is $$x$$',
  'create statistics s on a, b from t',
  'select * into u from t',
  'create table u as select * from t',
  'create table u as execute p',
  'create table t (a int)',
  'create temp table t (a int primary key)',
  'create unlogged table t (a int primary key)',
  'create temp view v as select 1',
  'create temp sequence s',
  'create table t (a int primary key) inherits (u)',
  'create table t (a int primary key) tablespace s',
  'create table t of pair (primary key (a))',
  'create table convoy.t (a int primary key)',
  'create table t (a int primary key deferrable)',
  'create table t (a int primary key, b int references u initially deferred)',
  'create table t (a int, primary key (a) deferrable initially deferred)',
  "create table t (a int primary key, b date default 'today')",
  "create table t (a int primary key, b date default 'now'::timestamp)",
  'create table t (a timestamptz primary key check (a > now()))',
  'create table t (a date primary key check (a > current_date))',
  'create table p1 partition of p for values from (random()) to (10)',
  "create table p1 partition of p for values in ('p'::regclass)",
  "create table p1 partition of p for values in (('p'::regclass)::oid::int8)",
  "create table p1 partition of p for values in (cast('p' as pg_catalog.regclass))",
  "create table p1 partition of p for values from (-('p'::regclass::oid::int8)) to (0)",
  "create table p1 partition of p for values in (('now'::text)::timestamptz)",
  "create table p1 partition of p for values in (('port'::text).current_setting)",
  'alter table t add column a timestamptz default now()',
  'alter table t add column a timestamptz default current_timestamp',
  "alter table t add column a timestamptz default 'now'",
  'alter table t add column a float default random()',
  'alter table t add column a uuid default gen_random_uuid()',
  'alter table t add column a serial',
  'alter table t add column a bigint generated always as identity',
  'alter table t add constraint u unique (a) deferrable',
  'alter table t alter column a type float using random()',
  'alter table t alter column a type timestamptz using current_timestamp',
  "alter table t alter column a type date using 'today'::date",
  'alter table t add constraint c check (a > random())',
  'alter table t disable trigger all',
  'alter table t enable always trigger x',
  'alter table t disable rule r',
  'drop table convoy_migrations',
  'drop table if exists t, public.convoy_migrations cascade',
  'drop index convoy_migrations_pkey',
  'truncate t, convoy_migrations',
  'alter table convoy_migrations drop column digest',
  'alter table convoy_migrations rename to gone',
  'alter index convoy_migrations_pkey rename to gone',
  'create view convoy_migrations as select 1',
  'create type convoy_migrations as enum ()',
  'create type public.convoy_migrations as (a int)',
  'create type convoy_migrations_pkey as range (subtype = int4)',
  'create sequence convoy_migrations',
  'create table convoy_migrations_pkey (id int primary key)',
  'create table convoy_migrations partition of t default',
  'create table t (id int constraint convoy_migrations_pkey primary key)',
  'create table t (id int, constraint convoy_migrations_pkey primary key (id))',
  'create index convoy_migrations_pkey on t (a)',
  'alter table t add constraint convoy_migrations_pkey unique (a)',
  'alter table t add column a int constraint convoy_migrations_pkey unique',
  'alter table t rename to convoy_migrations',
  'alter type t rename to convoy_migrations',
  'alter index t rename to convoy_migrations_pkey',
  'alter table t rename constraint a to convoy_migrations_pkey',
  'alter table t owner to postgres',
  'alter table t inherit u',
  'alter table t set unlogged',
  'alter table t set schema convoy',
  'alter table t enable row level security',
  'alter table t replica identity full',
  'alter table t detach partition p concurrently',
  'alter function f() owner to x',
  'alter system set fsync = off',
  'alter foreign table f add column a int',
  'create index concurrently on t (a)',
  'drop index concurrently i',
  'drop schema public cascade',
  'drop function f',
  'drop table convoy.log',
  'drop owned by x',
  'select * from convoy.log',
  'delete from "convoy".results',
  'select convoy.tag(1)',
  'select pg_sleep(60)',
  'select pg_catalog.pg_sleep_for($$1 day$$)',
  'select pg_terminate_backend(1)',
  'select pg_cancel_backend(pid) from pg_stat_activity',
  'select pg_advisory_lock(1)',
  'select pg_try_advisory_xact_lock(1)',
  "select set_config('role', 'postgres', false)",
  "select pg_read_file('/etc/passwd')",
  "select * from pg_ls_dir('/')",
  "select lo_import('/etc/passwd')",
  "select query_to_xml('select 1', true, true, '')",
  "select pg_notify('a', 'b')",
  'select pg_export_snapshot()',
  'insert into t select pg_sleep(1)::text',
  'with a as (select pg_sleep(1)) select * from a',
  'select \u0000 1'
]

t.test('everything else is refused as not allowed', async t => {
  for (const sql of REFUSED) {
    const error = await refusal(() => admission.write([{ sql }]))
    t.equal(error.code, 'CONVOY_SQL_NOT_ALLOWED', `${sql}: ${error.message}`)
    t.equal(error.statusCode, 400)
  }
})

t.test('a refusal names the statement as SQL does', async t => {
  const names: Record<string, string> = {
    'set role postgres': 'SET or RESET',
    'drop database d': 'DROP DATABASE',
    'create trigger a after insert on t execute function f()': 'CREATE TRIGGER',
    'create materialized view m as select 1': 'CREATE MATERIALIZED VIEW',
    'create table u as select 1': 'CREATE TABLE AS',
    'create schema s': 'CREATE SCHEMA',
    commit: 'transaction control',
    'alter table t disable trigger all': 'ALTER ... DISABLE TRIGGER ALL'
  }
  for (const [sql, name] of Object.entries(names)) {
    t.equal((await refusal(() => admission.write([{ sql }]))).message, `${name} is not taken`)
  }
})

t.test('a read takes only what neither writes nor locks', async t => {
  for (const sql of ['select 1', 'values (1)', 'table t', 'with a as (select 1) select * from a']) {
    await admission.read(sql, [])
  }
  const refused = [
    'select * from t for update',
    'select * from (select * from t for key share) s',
    'insert into t values (1)',
    'with a as (insert into t values (1) returning *) select * from a',
    'select * into u from t',
    'truncate t',
    'drop table t',
    'COMMIT',
    'select pg_sleep(60)',
    'explain analyze select 1'
  ]
  for (const sql of refused) {
    t.equal((await refusal(() => admission.read(sql, []))).code, 'CONVOY_SQL_NOT_ALLOWED', sql)
  }
})

t.test('a syntax error has the position in characters that PostgreSQL would tell', async t => {
  const error = await refusal(() => admission.read("select 'é😀', from", []))
  t.equal(error.code, 'CONVOY_SQL')
  t.strictSame(error.details, { sqlstate: '42601', position: 14 })
  t.match(error.message, /syntax error at or near "from"/)
  t.strictSame((await refusal(() => admission.read("'; drop table users; --", []))).details, {
    sqlstate: '42601',
    position: 1
  })
})

t.test('a refusal says which of several statements it means', async t => {
  const error = await refusal(() => admission.write([{ sql: 'select 1' }, { sql: 'selec 2' }]))
  t.strictSame(error.details, { sqlstate: '42601', position: 1, statement: 1 })
})

t.test('the number of parameters must be that of the statement', async t => {
  await admission.read('select $1::int + $3::int + $2::int', [1, 2, 3])
  const error = await refusal(() => admission.read('select $1::int', []))
  t.strictSame([error.code, error.details], ['CONVOY_SQL', { sqlstate: '08P01' }])
  t.equal((await refusal(() => admission.read('select 1', [1]))).code, 'CONVOY_SQL')
})

t.test('a number that JSON has rounded is refused instead of written wrong', async t => {
  const error = await refusal(() => admission.read('select $1::int8', [2 ** 53]))
  t.equal(error.code, 'CONVOY_INVALID_REQUEST')
  await admission.read('select $1::float8', [1.5])
})

t.test('the digest is that of the statements, whatever process makes it', async t => {
  const one = [{ sql: 'insert into t values ($1)', params: [1] }]
  t.equal(
    (await admission.write(one)).commandHash,
    (await admission.write(structuredClone(one))).commandHash
  )
  const others = [
    [{ sql: 'insert into t values ($1)', params: ['1'] }],
    [{ sql: 'insert into t values ($1)', params: [1], expectRows: 1 }],
    [...one, ...one]
  ]
  for (const other of others) {
    t.not((await admission.write(one)).commandHash, (await admission.write(other)).commandHash)
  }
})

t.test('statements that overflow the parser are refused, and it goes on', async t => {
  const deep = `select 1${' + 1'.repeat(50_000)}`
  for (let i = 0; i < 5; i++) {
    t.equal((await refusal(() => admission.read(deep, []))).code, 'CONVOY_SQL_NOT_ALLOWED')
    await new Promise(resolve => setTimeout(resolve, 100))
    await admission.read(`select ${i}`, [])
  }
  const nested = `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`
  t.equal((await refusal(() => admission.read(nested, []))).code, 'CONVOY_SQL_NOT_ALLOWED')
  t.match(
    (await refusal(() => admission.read(`select '${'x'.repeat(1_300_000)}'`, []))).message,
    /at most/
  )
  await admission.read(`select '${'x'.repeat(1_048_576)}'`, [])
})

t.test('what would not arrive as it was sent is refused, and the parameter named', async t => {
  const half = await refusal(() => admission.read('select $1::text, $2', ['a', 'b\ud800']))
  t.strictSame([half.code, half.details], ['CONVOY_INVALID_REQUEST', { parameter: 2 }])
  const bad: Param[] = ['\udc00', ['a', ['\ud83d']], ['\ude00\ud83d'], `${'x'.repeat(99)}\ud800`]
  for (const param of bad) {
    const error = await refusal(() => admission.write([{ sql: 'select $1', params: [param] }]))
    t.strictSame([error.code, error.details], [half.code, { parameter: 1, statement: 0 }])
  }
  await admission.read('select $1', ['😀 \ufffd'])
  await admission.read('select $1::json', [{ text: '\ud800' }]) // an escape in JSON
  const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
  t.match((await refusal(() => admission.read('select $1', [deep]))).message, /nested/)
  const sql = await refusal(() => admission.read("select '\ud800'", []))
  t.equal(sql.code, 'CONVOY_SQL_NOT_ALLOWED')
})
