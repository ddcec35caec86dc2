import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  rowsOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'

/** What admission (in the orchestrator) refuses first; here the database is on its own. */
const SMUGGLED = [
  'commit',
  'rollback',
  'rollback to savepoint s',
  'release savepoint s',
  'savepoint s',
  'begin',
  'abort',
  'prepare transaction $$x$$',
  "select set_config('convoy.index', '99', true)",
  "select set_config('role', 'convoy_apply', false)",
  'set role convoy_apply',
  'set session authorization convoy_setup',
  "set convoy.index = '99'",
  "update pg_settings set setting = '1GB' where name = 'work_mem'",
  "with s as (select 1) update pg_catalog.pg_settings set setting = '0' where name = 'statement_timeout'",
  "set local work_mem = '1GB'",
  "alter database postgres set work_mem = '1GB'",
  'alter role all set temp_file_limit = -1',
  'alter system set temp_file_limit = -1',
  "alter function lower(text) set work_mem = '1GB'",
  'set session_replication_role = replica',
  'set statement_timeout = 0',
  'set constraints all immediate',
  'reset all',
  'discard all',
  'alter table people disable trigger all',
  'drop trigger convoy_insert on people',
  'alter table people set unlogged',
  'create temp table tt (a int primary key)',
  'create rule r as on insert to people do instead nothing',
  "create function f() returns int language sql as 'select 1'",
  "create function f() returns trigger language plpgsql as 'begin return null; end'",
  'do $$ begin end $$',
  'create trigger x before update on people for each row execute function suppress_redundant_updates_trigger()',
  'create schema mine',
  'drop schema public cascade',
  'create extension file_fdw',
  'create role x superuser',
  "alter role convoy_app set statement_timeout = '1h'",
  'alter role convoy_app superuser',
  'grant select on people to public',
  "comment on table people is 'x'",
  'select pg_sleep(60)',
  "select pg_sleep_for('1 minute')",
  'select pg_terminate_backend(pid) from pg_stat_activity',
  'select pg_cancel_backend(pg_backend_pid())',
  'select pg_advisory_lock(1)',
  'select pg_try_advisory_xact_lock(1)',
  "select pg_notify('a', 'b')",
  "notify a, 'b'",
  'listen a',
  'select pg_export_snapshot()',
  "select pg_read_file('/etc/passwd')",
  "select pg_ls_dir('/')",
  "select lo_import('/etc/passwd')",
  'select lo_create(0)',
  "select query_to_xml('select 1', true, true, '')",
  "select ts_rewrite('a'::tsquery, 'select 1')",
  'select query from pg_stat_activity',
  'select statement from pg_prepared_statements',
  'select statement from pg_cursors',
  'select pg_stat_get_backend_activity(1)',
  'select * from pg_stat_get_backend_idset()',
  'select * from pg_stat_replication',
  'select * from pg_stat_progress_basebackup',
  "select ts_stat('select 1')",
  "select pg_logical_emit_message(true, 'a', 'b')",
  'select pg_switch_wal()',
  'copy people from stdin',
  'copy people to stdout',
  "copy people to '/tmp/convoy-smuggled'",
  "copy people from program 'id'",
  'select * from convoy.log',
  'delete from convoy.log',
  'update convoy.memory set term = 99',
  "select convoy.tag('guess', 99)",
  "select convoy.append('guess', 1, 1, null, null, null, null, null, null, null)",
  'truncate convoy.change',
  'lock table people',
  'explain analyze insert into people values (8)',
  'declare c cursor for select 1',
  'prepare p as select 1',
  'vacuum people',
  'checkpoint',
  'select 1; commit',
  'insert into people values (5); drop table people',
  ''
]

t.test('what slipped through admission is refused by the database, and harms nobody', async t => {
  const { store } = await startWorker(t, { writeTimeoutMs: 2_000 })
  await store.beginTerm(1)
  await store.execute([ddl('create table people (id int primary key)')], 1)
  for (const [i, sql] of SMUGGLED.entries()) {
    const before = command([`insert into people values (${1000 + 2 * i})`])
    const after = command([`insert into people values (${1001 + 2 * i})`])
    const smuggler = command(['insert into people values (7)', sql, 'select 1'])
    const executed = (await store.execute([before, smuggler, after], 1)).map(entryOf)
    t.strictSame(
      executed.map(entry => entry.status),
      [200, 400, 200],
      sql || '(nothing)'
    )
    t.equal(resultOf(executed[1]).code, 'CONVOY_SQL', sql)
  }
  t.strictSame(await rowsOf(store, 'select count(*) from people'), [
    { count: String(2 * SMUGGLED.length) }
  ])
  t.strictSame(await rowsOf(store, 'select * from people where id = 7'), [])
  await store.execute([command([{ kind: 'verify' }])], 1)
  t.equal(store.memory.term, 1)
})

t.test('the same as a single statement', async t => {
  const { store } = await startWorker(t, { writeTimeoutMs: 2_000 })
  await store.beginTerm(1)
  await store.execute([ddl('create table people (id int primary key)')], 1)
  const executed = (
    await store.execute(
      SMUGGLED.map(sql => command([sql])),
      1
    )
  ).map(entryOf)
  const passed = executed.filter(entry => entry.status === 200)
  t.strictSame(passed, [])
  t.strictSame((await store.execute([command(['insert into people values (1)'])], 1)).length, 1)
})

t.test('nor can it end the transaction of a batch that is run straight on', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table people (id int primary key)')], 1)
  const control = SMUGGLED.slice(
    0,
    SMUGGLED.indexOf("select set_config('convoy.index', '99', true)")
  )
  for (const [i, sql] of control.entries()) {
    // Long enough since the last failure.
    for (let calm = 0; calm < 20; calm++) await store.execute([command(['select 1'])], 1)
    const before = command([`insert into people values (${1000 + 2 * i})`])
    const after = command([`insert into people values (${1001 + 2 * i})`])
    const executed = (await store.execute([before, command([sql]), after], 1)).map(entryOf)
    t.strictSame(
      executed.map(entry => [entry.status, entry.changes.length > 2]),
      [
        [200, true],
        [400, false],
        [200, true]
      ],
      sql
    )
  }
  t.strictSame(await rowsOf(store, 'select count(*) from people'), [
    { count: String(2 * control.length) }
  ])
})

t.test('reads cannot write, wait or reach out either', async t => {
  const { store } = await startWorker(t, { readTimeoutMs: 2_000 })
  await store.beginTerm(1)
  await store.execute([ddl('create table people (id serial primary key)')], 1)
  const more = [
    'insert into people values (1)',
    "select nextval('people_id_seq')",
    'set transaction read write'
  ]
  for (const sql of [...SMUGGLED, ...more].filter(text => !/^explain|^$/.test(text))) {
    const [before, smuggled, after] = await Promise.all([
      readOf(store, 'select count(*) from people'),
      readOf(store, sql),
      readOf(store, 'show transaction_read_only')
    ])
    t.equal(smuggled.status, 400, sql)
    t.strictSame(before.body.rows, [{ count: '0' }])
    t.strictSame(after.body.rows, [{ transaction_read_only: 'on' }])
  }
})

t.test('a connection that is lost is told as such', async t => {
  const { store, server } = await startWorker(t)
  await store.beginTerm(1)
  await server.stop()
  await sleep(50)
  await t.rejects(store.execute([command(['select 1'])], 1), { name: 'StoreLostError' })
  await t.rejects(store.apply([], 1), { name: 'StoreLostError' })
  await t.rejects(readOf(store, 'select 1'), { name: 'StoreLostError' })
  await t.rejects(store.entriesAfter(0, 100), { name: 'StoreLostError' })
})

t.test('nothing that a client may call returns the text of a statement', async t => {
  const { store } = await startWorker(t)
  const outArguments = `select p.oid::regprocedure::text as f from pg_proc p
    where has_function_privilege('convoy_read', p.oid, 'execute')
      and proname <> 'pg_event_trigger_ddl_commands' -- works inside event triggers alone
      and exists (select from unnest(p.proargnames, p.proargmodes) a(name, mode)
        where mode in ('o', 't') and name ~ '^(query|statement|command)$')`
  t.strictSame(await rowsOf(store, outArguments), [])
  const hidden = 'a literal that nobody else may see'
  await rowsOf(store, `select '${hidden}'`)
  const views = await rowsOf(
    store,
    `select c.oid::regclass::text as v from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'v'
        and a.attname in ('query', 'statement')`
  )
  t.ok(views.length >= 3)
  for (const { v } of views as { v: string }[]) {
    const { status, body } = await readOf(store, `select x::text from ${v} x`)
    t.equal(status, 400, `${v}`)
    t.equal(body.sqlstate, '42501', `${v}`)
  }
})
