/**
 * Bad input of every kind gets the status and code that are written down, changes
 * nothing, and does the system no harm. What the command alone decides never reaches
 * the log; what the database decides is an entry, without changes.
 */
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Place, startCluster } from '../../testing/cluster/cluster.ts'
import { read, type Statement, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, levelPlaces, rowsIn, sumsIn } from '../../testing/cluster/databases.ts'
import { type Answer, call, codeOf, type Extra, type Method } from '../../testing/convoy.ts'

const MIB = 1024 * 1024

const cluster = await startCluster(t)
await write(
  cluster,
  {
    sql: 'create table people (id int primary key, name text not null unique, age int check (age > 0))'
  },
  { sql: 'create table posts (id int primary key, author int not null references people)' },
  { sql: 'create table notes (id int primary key, note text)' },
  { sql: "insert into people values (1, 'ada', 36), (2, 'bob', null)" },
  { sql: 'insert into posts values (1, 1)' }
)
const wellBefore = await cluster.now()

type Wanted = readonly [status: number, code: string]
const REFUSED: Wanted = [400, 'CONVOY_SQL_NOT_ALLOWED']
const INVALID: Wanted = [400, 'CONVOY_INVALID_REQUEST']
const SQL: Wanted = [400, 'CONVOY_SQL']

interface Attempt {
  readonly what: string
  readonly wanted: Wanted
  readonly act: () => Promise<Answer>
}

/** @param entriesEach what an attempt adds to the log: 1 where the database decides, else 0 */
async function changeNothing(t: Test, attempts: readonly Attempt[], entriesEach = 0) {
  const before = await stateOfAll()
  for (const { what, wanted, act } of attempts) {
    const answer = await act()
    t.strictSame([answer.status, codeOf(answer)], wanted, what)
    t.type((answer.body as { message?: unknown }).message, 'string', 'and says why')
  }
  const after = await stateOfAll()
  t.strictSame(after.tables, before.tables, 'no table has changed')
  t.equal(after.entries - before.entries, entriesEach * attempts.length, 'entries in the log')
}

async function stateOfAll(): Promise<{ entries: number; tables: Record<string, string> }> {
  const [place] = await levelPlaces(cluster)
  if (place === undefined) throw new Error('no worker')
  return { entries: await entriesIn(place), tables: await sumsIn(place) }
}

/** The services sweep their tables now and then; their entries are not of this test. */
async function entriesIn(place: Place): Promise<number> {
  const sql = "select count(*) from convoy.log where request_id !~ '^(users|rides)-api:'"
  const [row] = await rowsIn(place, sql)
  return Number(row?.['count'])
}

const request = (target: `${Method} ${string}`, extra: Extra) => {
  const [method, path] = target.split(' ') as [Method, string]
  return () => call(`${method} ${cluster.url}${path}`, extra)
}
const writing = (sql: string, wanted: Wanted, params?: readonly unknown[]): Attempt => ({
  what: `write: ${sql.slice(0, 70)}`,
  wanted,
  act: () => tryWrite(cluster, [params === undefined ? { sql } : { sql, params }])
})
const reading = (sql: string, wanted: Wanted, more: Record<string, unknown> = {}): Attempt => ({
  what: `read: ${sql.slice(0, 70)}`,
  wanted,
  act: request('POST /api/v1/db/read', { body: { sql, ...more } })
})
const posting = (what: string, wanted: Wanted, extra: Extra): Attempt[] =>
  (['write', 'read'] as const).map(route => ({
    what: `${route}: ${what}`,
    wanted,
    act: request(`POST /api/v1/db/${route}`, extra)
  }))

await t.test('requests that are no request', async t => {
  const ok = 'select 1'
  await changeNothing(t, [
    ...posting('malformed JSON', INVALID, { text: '{"statements": [{]' }),
    ...posting('no body', INVALID, {}),
    ...posting('an empty body', INVALID, { text: '' }),
    ...posting('a list', INVALID, { body: [] }),
    ...posting('null', INVALID, { text: 'null' }),
    ...posting('an empty object', INVALID, { body: {} }),
    ...posting('an unknown field', INVALID, { body: { sql: ok, statements: [{ sql: ok }], x: 1 } }),
    ...posting('sql that is a number', INVALID, { body: { sql: 1, statements: [{ sql: 1 }] } }),
    ...posting('XML', [415, 'CONVOY_UNSUPPORTED_MEDIA_TYPE'], {
      text: '<sql/>',
      headers: { 'content-type': 'application/xml' }
    }),
    ...posting('20 MiB', [413, 'CONVOY_BODY_TOO_LARGE'], { text: `"${'x'.repeat(20 * MIB)}"` }),
    reading(ok, INVALID, { params: 'no list' }),
    reading(ok, INVALID, { consistency: 'none' }),
    reading(ok, INVALID, { consistency: 'session' }),
    reading(ok, INVALID, { minIndex: -1 }),
    reading(ok, INVALID, { minIndex: '1' }),
    reading(ok, INVALID, { minIndex: 1.5 }),
    reading(ok, [400, 'CONVOY_INDEX_UNKNOWN'], { minIndex: 1_000_000_000 }),
    reading(ok, [400, 'CONVOY_INDEX_UNKNOWN'], { minIndex: 1_000_000_000, consistency: 'strong' })
  ])
  const statements = (wanted: Wanted, what: string, list: unknown, headers = {}): Attempt => ({
    what: `write: ${what}`,
    wanted,
    act: request('POST /api/v1/db/write', { body: { statements: list }, headers })
  })
  const remove = { sql: 'delete from posts' }
  await changeNothing(t, [
    statements(INVALID, 'no statements', []),
    statements(INVALID, 'statements that are no list', remove),
    statements(INVALID, 'a statement that is a string', [remove.sql]),
    statements(INVALID, 'a statement without sql', [{ params: [] }]),
    statements(INVALID, 'params that are no list', [{ ...remove, params: { a: 1 } }]),
    statements(INVALID, 'expectRows below 0', [{ ...remove, expectRows: -1 }]),
    statements(INVALID, 'expectRows that is a string', [{ ...remove, expectRows: '1' }]),
    statements(
      INVALID,
      'too many statements',
      Array.from({ length: 1_001 }, () => remove)
    ),
    statements(INVALID, 'an empty key', [remove], { 'idempotency-key': '' }),
    statements(INVALID, 'a key with a space', [remove], { 'idempotency-key': 'a b' }),
    statements(INVALID, 'a key too long', [remove], { 'idempotency-key': 'x'.repeat(301) })
  ])
})

await t.test('paths and methods that are not there', async t => {
  const missing: Wanted = [404, 'CONVOY_NOT_FOUND']
  const unknown = ['/api', '/api/v1/db', '/api/v1/db/writes', '/api/v2/db/write', '/%00', '/%zz']
  await changeNothing(
    t,
    unknown.map(path => ({
      what: path,
      wanted: path === '/%zz' ? INVALID : missing,
      act: request(`GET ${path}`, {})
    }))
  )
  const known = [
    ['/api/v1/db/write', 'GET', 'POST'],
    ['/api/v1/db/read', 'PUT', 'POST'],
    ['/api/v1/db/clear', 'GET', 'POST'],
    ['/api/v1/crash/master', 'GET', 'POST'],
    ['/api/v1/crash/slave', 'DELETE', 'POST'],
    ['/api/v1/cluster/verify', 'DELETE', 'GET, HEAD, POST'],
    ['/api/v1/worker/list', 'POST', 'GET, HEAD'],
    ['/api/v1/cluster', 'DELETE', 'GET, HEAD'],
    ['/api/v1/cluster/replicas', 'GET', 'PUT'],
    ['/readyz', 'POST', 'GET, HEAD']
  ] as const
  for (const [path, method, allow] of known) {
    const answer = await request(`${method} ${path}`, {})()
    t.strictSame([answer.status, codeOf(answer)], [405, 'CONVOY_METHOD_NOT_ALLOWED'], path)
    t.equal(answer.headers['allow'], allow)
  }
})

await t.test('SQL that a cluster does not take is refused before it is anywhere', async t => {
  const both = (sql: string): Attempt[] => [writing(sql, REFUSED), reading(sql, REFUSED)]
  await changeNothing(
    t,
    [
      ...['', ' ', '-- nothing', ';'],
      'COMMIT',
      ...['begin', 'rollback', 'savepoint a', 'set role convoy_setup', 'reset all'],
      'delete from posts; drop table users',
      "insert into people values (3, ''); drop table users; --', null)",
      'select pg_sleep(60)',
      'select pg_catalog.pg_sleep(60)',
      'select PG_SLEEP (60) from people',
      'select pg_terminate_backend(pid) from pg_stat_activity',
      'select pg_cancel_backend(1)',
      "select pg_read_file('/etc/passwd')",
      "select * from pg_ls_dir('/')",
      "select lo_import('/etc/passwd')",
      "copy people to '/tmp/people'",
      "copy people from program 'id'",
      'select pg_advisory_lock(1)',
      "select set_config('role', 'convoy_setup', false)",
      "select query_to_xml('delete from people', true, true, '')",
      'select * from convoy.log',
      'delete from convoy.log',
      'create role evil superuser',
      'alter role convoy_app superuser',
      'grant all on people to public',
      'create extension dblink',
      'do $$ begin delete from people; end $$',
      "create function f() returns int language sql as 'select 1'",
      'create trigger a after insert on people execute function f()',
      'create rule a as on insert to people do nothing',
      'lock table people',
      'vacuum',
      'listen a',
      'prepare a as select 1',
      'explain analyze delete from people',
      'select * into copy_of_users from people'
    ].flatMap(both)
  )
  await changeNothing(t, [
    ...[
      'delete from posts',
      "update people set name = 'x'",
      'truncate posts',
      'drop table posts'
    ].map(sql => reading(sql, REFUSED)),
    reading('with gone as (delete from posts returning *) select * from gone', REFUSED),
    reading('select * from people for update', REFUSED),
    writing('create table no_key (a int)', REFUSED),
    writing('create temp table t (id int primary key)', REFUSED),
    writing('create unlogged table t (id int primary key)', REFUSED),
    writing('create table t as select * from people', REFUSED),
    writing('create table t (id int primary key) inherits (people)', REFUSED),
    writing('create table t (id int primary key deferrable)', REFUSED),
    writing('alter table people add column at timestamptz default now()', REFUSED),
    writing('alter table people disable trigger all', REFUSED),
    writing(`select ${'1 + '.repeat(10_000)} 1`, REFUSED),
    writing(`select ${'1 + '.repeat(400_000)} 1`, [413, 'CONVOY_SQL_TOO_LARGE'])
  ])
})

await t.test('SQL that is wrong is told so, and changes nothing', async t => {
  const syntax = ["'; drop table users; --", 'selec 1', "select 'open", 'insert into people values']
  await changeNothing(
    t,
    syntax.flatMap(sql => [writing(sql, SQL), reading(sql, SQL)])
  )
  const injected = "'; drop table users; --"
  const found = await read(cluster, 'select * from people where name = $1', { params: [injected] })
  t.strictSame(found.rows, [], 'as a value it is only a value')
  await changeNothing(t, [
    reading('select * from nowhere', SQL),
    reading('select 1/0', SQL),
    reading('select $1::int', SQL, { params: ['abc'] }),
    reading('select $1::int', SQL, { params: [] }),
    reading('select $1::int', SQL, { params: [1, 2] }),
    reading('select $1::text', SQL, { params: ['a\0b'] }),
    reading('select count(*) from generate_series(1, 1000000000)', SQL),
    reading('select * from generate_series(1, 1000000)', [413, 'CONVOY_RESULT_TOO_LARGE']),
    reading("select repeat('x', 20000000)", [413, 'CONVOY_RESULT_TOO_LARGE'])
  ])
  const constraint: Wanted = [409, 'CONVOY_CONSTRAINT']
  const tooLarge: Wanted = [413, 'CONVOY_ENTRY_TOO_LARGE']
  const attempts = [
    writing('delete from nowhere', SQL),
    writing('insert into people values (1/0)', SQL),
    writing('insert into people values ($1)', SQL, ['abc']),
    writing("insert into people values (3, 'a' || chr(0))", SQL),
    writing("insert into people values (1, 'eve')", constraint),
    writing("insert into people values (3, 'ada')", constraint),
    writing("insert into people values (3, 'eve', -1)", constraint),
    writing('insert into people values (3, null)', constraint),
    writing('insert into posts values (2, 99)', constraint),
    writing('delete from people where id = 1', constraint),
    writing('drop table people', SQL),
    writing(
      "insert into notes select i, repeat('x', 99) from generate_series(1, 90000) i",
      tooLarge
    ),
    writing("insert into notes values (1, repeat('x', 9000000))", tooLarge),
    writing("select repeat('x', 9000000)", tooLarge),
    writing('select * from generate_series(1, 3000000)', tooLarge)
  ]
  await changeNothing(t, attempts, 1)
})

await t.test('a transaction is done as a whole or not at all', async t => {
  const good: Statement = { sql: "insert into people values (10, 'eve')", expectRows: 1 }
  const transaction = (what: string, wanted: Wanted, bad: Statement): Attempt => ({
    what,
    wanted,
    act: () => tryWrite(cluster, [good, bad, { sql: 'delete from posts' }])
  })
  await changeNothing(
    t,
    [
      transaction('an error', SQL, { sql: 'delete from nowhere' }),
      transaction('a constraint', [409, 'CONVOY_CONSTRAINT'], good),
      transaction('rows that were expected', [409, 'CONVOY_EXPECTATION_FAILED'], {
        sql: 'delete from posts where id = 99',
        expectRows: 1
      })
    ],
    1
  )
  await changeNothing(t, [transaction('a COMMIT in it', REFUSED, { sql: 'commit' })])
  const bad = { sql: 'update people set age = 1', expectRows: 3 }
  const { body } = await tryWrite(cluster, [{ sql: 'select 1' }, bad])
  t.match(body, { statement: 1, expected: 3, rowCount: 2 })
  const { body: named } = await tryWrite(cluster, [{ sql: "insert into people values (5, 'ada')" }])
  t.match(named, { sqlstate: '23505', constraint: 'people_name_key', statement: 0 })
})

await t.test('ids that name nothing', async t => {
  await changeNothing(t, [
    {
      what: 'an id that no write had',
      wanted: [404, 'CONVOY_UNKNOWN_REQUEST'],
      act: request(`GET /api/v1/db/write/${randomUUID()}`, {})
    },
    {
      what: 'an id that is none',
      wanted: INVALID,
      act: request('GET /api/v1/db/write/a%20b', {})
    }
  ])
})

await t.test('after all that the system is as well as before', async t => {
  const now = await cluster.healed()
  t.equal(now.term, wellBefore.term, 'nobody was elected')
  const pids = ({ workers }: typeof now) => workers.map(({ pid }) => pid).sort()
  t.strictSame(pids(now), pids(wellBefore), 'no worker has died')
  t.equal((await call(`GET ${cluster.url}/readyz`)).status, 200)
  await write(cluster, { sql: "insert into people values (11, 'fay', 1)", expectRows: 1 })
  t.strictSame((await read(cluster, 'select count(*) from people')).rows, [{ count: '3' }])
  await equalOnAllWorkers(t, cluster)
})
