/**
 * Schema changes and values that could come out otherwise on each worker are refused by a
 * whole cluster, and nobody notices; those that are taken come out alike, also after
 * another worker has taken over. Each statement here made workers differ once.
 */
import t, { type Test } from 'tap'
import { placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, rowsIn } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'

const cluster = await startCluster(t)

/** Object identifiers of the workers go apart, as they do in any cluster that lives. */
for (const [i, place] of placesOf(cluster).entries()) {
  const burn = Array.from({ length: 7 * i }, (_, n) => `create type convoy.burn_${n} as enum ('a')`)
  if (burn.length > 0) await rowsIn(place, burn.join(';'))
}

async function equal(t: Test): Promise<void> {
  const { status, body } = await call(`POST ${cluster.url}/api/v1/cluster/verify`)
  const { workers } = body as { workers: readonly { equal: boolean; differing: unknown }[] }
  t.equal(status, 200)
  t.strictSame(
    workers.map(worker => worker.equal),
    [true, true, true],
    JSON.stringify(workers)
  )
  await equalOnAllWorkers(t, cluster)
}

async function refused(t: Test, sql: string): Promise<void> {
  const { status, body } = await tryWrite(cluster, [{ sql }])
  const { code, sqlstate } = body as { code: string; sqlstate?: string }
  t.equal(status, 400, `${sql}: ${JSON.stringify(body)}`)
  t.ok(
    code === 'CONVOY_SQL_NOT_ALLOWED' || /^CV00[3-6]$/.test(sqlstate ?? ''),
    `${code} ${sqlstate}`
  )
}

await t.test('what would differ is refused, and no worker leaves', async t => {
  const before = await cluster.now()
  await write(
    cluster,
    { sql: "create type hue as enum ('red', 'green', 'blue', 'cyan', 'pink')" },
    { sql: 'create table f (id int primary key, v text, h hue)' },
    { sql: "insert into f values (1, 'now', 'red'), (2, 'today', 'blue')" }
  )
  const statements = [
    'create table r (h hue, id int, primary key (h, id)) partition by hash (h)',
    'alter table f alter column v type timestamptz using v::timestamptz',
    'alter table f alter column v type text using xmin::text',
    "alter table f alter column v type text using to_regclass('f')::oid::text",
    "alter table f alter column v type text using ('port'::text).current_setting",
    "alter table f add column c timestamptz default ('now'::text)::timestamptz",
    'create table r (id int primary key, o bigint generated always as (tableoid::bigint) stored)',
    'create table r (id int primary key, c regclass)',
    'create table r (c regtype primary key, v text)',
    'create type r as (c regclass)',
    "alter table f add constraint ck check (('port'::text).current_setting <> 'x')",
    "create index on f (id) where '2024-01-01'::timestamptz < 'now'",
    "create view r as select '{now}'::timestamptz[] as a"
  ]
  for (const sql of statements) await refused(t, sql)
  const values = [
    ['interval', "'-9223372036854775808 microseconds'"],
    ['tsquery', "'a & (b & c)'"],
    ['timetz', "timetz '12:00+00' at time zone interval '1000 hours'"],
    ['circle', 'circle(point(0, 0), -5)']
  ]
  for (const [i, [type, value]] of values.entries()) {
    await write(cluster, { sql: `create table v${i} (id int primary key, v ${type})` })
    await refused(t, `insert into v${i} values (1, ${value})`)
    await write(cluster, { sql: `insert into v${i} values (1, null)` })
  }
  await equal(t)
  const after = await cluster.now()
  t.equal(after.term, before.term)
  t.strictSame(after.workers.map(({ id }) => id).sort(), before.workers.map(({ id }) => id).sort())
})

await t.test('what is the same everywhere is taken, and is the same after a failover', async t => {
  const statements = [
    'create table l (h hue, id int, primary key (h, id)) partition by list (h)',
    "create table l1 partition of l for values in ('red', 'cyan')",
    'create table l2 partition of l default',
    'create table h (k text, id int, primary key (k, id)) partition by hash (k)',
    'create table h0 partition of h for values with (modulus 2, remainder 0)',
    'create table h1 partition of h for values with (modulus 2, remainder 1)',
    "alter table f alter column v type text using concat(v, ' ', id)",
    "alter table f add column at date default '2024-02-29'",
    "alter table f add constraint ck check (length(v) > 1 and at > '2000-01-01')",
    'alter table f add column low text generated always as (lower(v)) stored',
    'create index on f (lower(v)) where at is not null',
    'create table d (id int primary key, made timestamptz default now(), by text default current_user, i interval)'
  ]
  for (const sql of statements) await write(cluster, { sql })
  const rows = [
    'insert into l select h, 1 from unnest(enum_range(null::hue)) h',
    "insert into h select 'k' || g, g from generate_series(1, 50) g",
    "insert into d (id, i) values (1, '-178000000 years')"
  ]
  for (const sql of rows) await write(cluster, { sql })
  await equal(t)
  const dead = await cluster.kill('master')
  await write(cluster, { sql: "insert into f (id, v) values (3, 'New')" })
  await write(cluster, { sql: 'drop table l2' })
  await cluster.healed(dead)
  const left = await read(cluster, 'select h from l order by h')
  t.strictSame(left.rows, [{ h: 'red' }, { h: 'cyan' }], 'acknowledged rows are where they belong')
  await equal(t)
})
