/**
 * Schema changes run on every worker: what could come out otherwise there is refused by
 * the master, and what is taken comes out alike. The two workers differ in what workers
 * differ in: clock, transactions, object identifiers, port.
 */
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  openWorker,
  type Pair,
  resultOf,
  rowsOf,
  startPair,
  startWorker
} from '../../testing/fixtures/postgres.ts'

/** A pair whose object identifiers and transactions are apart. */
async function startOddPair(t: Test): Promise<Pair> {
  const pair = await startPair(t)
  const burn = Array.from({ length: 40 }, (_, i) => `create type convoy.burn_${i} as enum ('a')`)
  await below(pair.replica.server, burn.join(';'))
  for (let i = 0; i < 3; i++) await below(pair.replica.server, 'select pg_current_xact_id()')
  return pair
}

async function outcome({ run }: Pair, sql: string): Promise<string> {
  const [entry] = await run(ddl(sql))
  if (entry?.status === 200) return 'taken'
  const { code, sqlstate, message } = resultOf(entry)
  return `${entry?.status} ${code} ${sqlstate}: ${message}`
}

const VARYING = /^400 CONVOY_SQL CV003/
const NOT_READ = /^400 CONVOY_SQL CV005/

const FILLED = [
  ddl('create type pair as (a int, at timestamptz)'),
  ddl("create type hue as enum ('red', 'green', 'blue')"),
  ddl('create type span as range (subtype = timestamptz)'),
  ddl(
    'create table f (id int primary key, v text, n int, j jsonb, at timestamptz, d date, h hue, s timestamp)'
  ),
  command([
    `insert into f values (1, 'now', 7, '{"at": "now", "id": "now"}', now(), now(), 'green', now()),
    (2, 'today', 8, '{}', now(), now(), 'red', now())`
  ])
]

/** What rows would be filled or converted with. */
const CONVERSIONS_REFUSED = [
  ...['xmin::text', 'ctid::text', 'tableoid::text', 'f.xmax::text', 'tableoid::regclass::text'],
  ...[
    "to_regclass('f')::oid::text",
    "('f'::regclass)::oid::text",
    "'f'::regclass::text",
    'pg_typeof(h)::text'
  ],
  ...[
    "('port'::text).current_setting",
    "('f'::text).to_regclass::text",
    '(v).pg_column_size::text',
    '(f).pg_column_size::text'
  ],
  ...[
    "current_setting('port')",
    'current_user',
    'session_user',
    'current_catalog',
    'user',
    'current_time::text'
  ],
  ...[
    'now()::text',
    'clock_timestamp()::text',
    'current_date::text',
    'localtime::text',
    'age(at)::text',
    'age(s)::text'
  ],
  ...[
    'v::timestamptz::text',
    'v::date::text',
    'v::time::text',
    'v::timestamp::text',
    'cast(v as timetz)::text'
  ],
  ...[
    'array[v]::timestamptz[]::text',
    "('{' || v || '}')::date[]::text",
    "('(1,' || v || ')')::pair::text",
    "('[' || v || ',)')::tstzrange::text"
  ],
  ...[
    "('[' || v || ',)')::span::text",
    "('{[' || v || ',)}')::tstzmultirange::text",
    'row(1, v)::pair::text'
  ],
  ...[
    'jsonb_populate_record(null::pair, j)::text',
    "'now'::timestamptz::text",
    "'{now}'::timestamptz[]::text"
  ],
  ...[
    "e'\\x6eow'::timestamptz::text",
    "U&'\\006eow'::date::text",
    "'no'\n'w'::timestamp::text",
    '$$now$$::timestamp::text'
  ],
  ...[
    "'(1,today)'::pair::text",
    "'[yesterday,tomorrow)'::tstzrange::text",
    "(timestamptz 'now')::text",
    "timestamptz('now')::text"
  ],
  ...[
    'random()::text',
    'gen_random_uuid()::text',
    "nextval('q')::text",
    "currval('q')::text",
    'lastval()::text'
  ],
  ...[
    'txid_current()::text',
    'pg_backend_pid()::text',
    'inet_server_port()::text',
    'version()',
    'pg_current_wal_lsn()::text'
  ],
  ...[
    'hashenum(h)::text',
    'hash_record(row(h))::text',
    'hash_array(array[h])::text',
    'hashenumextended(h, 0)::text'
  ],
  ...[
    "pg_get_expr('x', 0)",
    "has_table_privilege('f', 'select')::text",
    "obj_description('f'::regclass)",
    'format_type(16500, 0)'
  ],
  ...[
    '(select max(v) from f)',
    "(select 'a')",
    'xmlserialize(content xmlelement(name a, now()) as text)',
    'record_image_lt(row(h), row(h))::text'
  ],
  ...[
    "enum_in('red', 'hue'::regtype)::text",
    "date_in('now')::text",
    "timestamptz_in('now', 0, -1)::text",
    "array_in('{now}', 1184, -1)::text"
  ],
  ...[
    'collation for (v)',
    'v collate "und-x-icu"',
    'pg_size_pretty(pg_relation_size(tableoid))',
    "('x' || now())",
    'concat(now())'
  ]
]

const CONVERSIONS_TAKEN = [
  ...[
    "'x' || n",
    'concat(v, n)',
    "to_char(n, '000')",
    "to_tsvector('simple', v)::text",
    "to_tsvector('english', v)::text",
    'd::text',
    'at::text'
  ],
  ...[
    'h::text',
    'lower(v)',
    "date_trunc('day', at)::text",
    "date_trunc('day', s)::text",
    '(at::date)::text',
    "(at at time zone 'UTC')::text"
  ],
  ...[
    "to_date('2024-' || n, 'YYYY-MM')::text",
    "j ->> 'at'",
    'row(n, v)::text',
    "format('%s and %s', v, at)",
    'array[v, n::text]::text',
    'to_json(at)::text'
  ],
  ...[
    "case when v ~ '^a' then md5(v) else coalesce(v, 'known, unknown') end",
    "(n::text || ' days')::interval::text",
    '(v is null)::text',
    'n::numeric(10, 2)::text'
  ],
  ...[
    "(h < 'blue')::text",
    'greatest(n, 3)::text',
    "'2024-02-29'::date::text",
    "(at > '2024-01-01')::text",
    "'unknown' || ('2024-01-01'::date)",
    'v collate "C"'
  ],
  ...[
    'c.v || n',
    "array_to_string(string_to_array(v, 'o'), ',')",
    "jsonb_build_object('a', n)::text",
    'extract(epoch from at)::text',
    'make_interval(days => n)::text'
  ],
  ...[
    "regexp_replace(v, '[a-z]', '', 'g')",
    "encode(sha256(v::bytea), 'hex')",
    "to_timestamp('2024-01-01', 'YYYY-MM-DD')::text",
    'v::varchar(2)',
    'n % 2 = 0'
  ]
]

t.test('rows are converted by what is the same everywhere, and by nothing else', async t => {
  const pair = await startOddPair(t)
  await pair.run(...FILLED, ddl('create sequence q'), command(["select nextval('q')"]))
  for (const using of CONVERSIONS_REFUSED) {
    const said = await outcome(pair, `alter table f alter column v type text using ${using}`)
    t.match(
      said,
      /^400 CONVOY_SQL (CV003|42501|42846|42883|22P02|42601|0A000|42P17|22021|42804|55000)/,
      using
    )
    if (!VARYING.test(said)) t.comment(`${using}: ${said}`)
  }
  t.strictSame(await rowsOf(pair.master.store, 'select v from f order by id'), [
    { v: 'now' },
    { v: 'today' }
  ])
  for (const type of ['timestamptz', 'date', 'time', 'timestamptz[]', 'regclass', 'pair', 'span']) {
    const said = await outcome(pair, `alter table f alter v type ${type} using v::${type}`)
    t.match(said, /CV00[35]/, type)
    t.match(
      await outcome(
        pair,
        `alter table f add x${type.length} int, alter v type ${type} using (v::text)::${type}`
      ),
      /CV00[35]/
    )
  }
  for (const using of CONVERSIONS_TAKEN) {
    const made = [
      ddl('create table c (like f including all)'),
      command(['insert into c select * from f'])
    ]
    await pair.run(...made)
    const sql = `alter table c add z int default 5, alter column v set data type text using ${using}`
    t.equal(await outcome(pair, sql), 'taken', using)
    t.strictSame(await pair.differing(), [], using)
    await pair.run(ddl('drop table c'))
  }
  for (const type of ['bigint', 'float8', 'numeric', 'text', 'varchar(3)']) {
    t.equal(await outcome(pair, `alter table f alter n type ${type}`), 'taken', type)
  }
  t.equal(
    await outcome(pair, 'alter table f alter at type timestamp, alter d type timestamptz'),
    'taken'
  )
  t.equal(await outcome(pair, 'alter table if exists nobody alter n type text'), 'taken')
  t.match(await outcome(pair, 'alter table f alter nobody type text'), /42703/)
  t.strictSame(await pair.differing(), [])
})

t.test('rows that exist are filled by what is the same everywhere', async t => {
  const pair = await startOddPair(t)
  await pair.run(...FILLED)
  const add = (column: string) => outcome(pair, `alter table f add column ${column}`)
  for (const column of [
    ...[
      'x timestamptz default now()',
      "x timestamptz default ('now'::text)::timestamptz",
      "x text default current_setting('port')"
    ],
    ...[
      "x timestamptz default 'now'",
      "x date[] default '{today}'",
      "x pair default '(1,tomorrow)'",
      "x text default ('port'::text).current_setting"
    ],
    ...[
      'x int generated always as identity',
      'x serial',
      'x uuid default gen_random_uuid()',
      'x name default current_user'
    ],
    ...[
      'x int default pg_backend_pid()',
      "x text default to_regclass('f')::oid::text",
      "x tstzrange default '[now,)'"
    ]
  ]) {
    t.match(await add(column), VARYING, column)
  }
  for (const column of [
    ...[
      'x1 int default 7',
      "x2 timestamptz default '2024-01-01'",
      "x3 text default 'now'",
      "x4 jsonb default '{}'",
      "x5 hue default 'red'"
    ],
    ...[
      "x6 interval default '1 day'",
      "x7 text[] default array['a', 'b']",
      'x8 numeric default 1 + 2',
      'x9 text',
      "x10 text default lower('A')"
    ]
  ]) {
    t.equal(await add(column), 'taken', column)
  }
  t.strictSame(await pair.differing(), [])
  await pair.run(ddl('create table empty (id int primary key)'))
  for (const value of ['now()', "('now'::text)::timestamptz", 'clock_timestamp()']) {
    const sql = `alter table empty add column x timestamptz default ${value}`
    t.match(await outcome(pair, sql), VARYING, sql)
  }
  for (const sql of [
    'alter table f alter column x9 set default current_user',
    'alter table f alter column at set default now()',
    'create table e (id int primary key)',
    'alter table e add column x timestamptz',
    'alter table e alter column x set default now()',
    'create table g (id uuid primary key default gen_random_uuid(), at timestamptz default now(), by text default current_user)'
  ]) {
    t.equal(await outcome(pair, sql), 'taken', sql)
  }
  await pair.run(
    command([
      'insert into e (id) values (1)',
      'insert into g default values',
      'insert into f (id) values (9)'
    ])
  )
  t.strictSame(await pair.differing(), [])
})

t.test('what every worker evaluates is the same on every worker', async t => {
  const pair = await startOddPair(t)
  await pair.run(...FILLED)
  const refused = [
    'create table r (id int primary key, o bigint generated always as (tableoid::bigint) stored)',
    'create table r (id int primary key, o text generated always as (tableoid::text) stored)',
    "alter table f add constraint r check (('port'::text).current_setting = '5432') not valid",
    "alter table f add constraint r check (v <> 'now'::timestamptz::text) not valid",
    "alter table f add constraint r check (at < 'now') not valid",
    "alter table f add constraint r check (at < 'tomorrow'::timestamptz) not valid",
    'alter table f add constraint r check (at < v::timestamptz) not valid',
    'alter table f add constraint r check (tableoid > 100) not valid',
    'alter table f add constraint r check (at < current_timestamp) not valid',
    "alter table f add constraint r check (age(at) > '1 day') not valid",
    'alter table f add constraint r check (inet_server_port() = 5432) not valid',
    "alter table f add constraint r check (('f'::text).to_regclass is null) not valid",
    'alter table f add constraint r check (hashenum(h) > 0) not valid',
    'alter table f add constraint r check (pg_column_size(v) > 0) not valid',
    'alter table f add constraint r check (pg_column_size(f) > 0) not valid',
    "alter table f add constraint r check (('f'::regclass)::oid > 100) not valid",
    'alter table f add constraint r check (row(n, v)::pair is not null) not valid',
    'alter table f add constraint r check (v < \'a\' collate "und-x-icu") not valid',
    'alter table f add constraint r check (exists (select)) not valid',
    "create index r on f ((v || 'now'::timestamptz::text))",
    "create index r on f (n) where at < 'now'",
    "create index r on f (n) where at > 'yesterday'::timestamptz - interval '1 day'",
    'create index r on f ((hash_array(array[h])))',
    'create index r on f ((hashenum(h)))',
    'create unique index r on f ((at::date))',
    'create index r on f (v collate "und-x-icu")',
    "create view r as select 'now'::text::timestamptz as a, 'today'::date as b",
    "create view r as select * from f where at > 'yesterday'",
    "create view r as select '{now}'::timestamptz[] as a",
    "create table r (id int primary key, at timestamptz default '{now}'::timestamptz[])",
    "create table r (id int primary key, at timestamptz[] default '{now}')",
    "create table r (id int primary key, p pair default '(1,now)')",
    "create domain r as timestamptz default 'now'",
    'create domain r as timestamptz check (value < now())',
    "create domain r as timestamptz check (value < 'now')",
    "create domain r as text check (value <> ('port'::text).current_setting)",
    "create table r (id date, primary key (id)) partition by range ((id + ('today'::date - id)))"
  ]
  for (const sql of refused)
    t.match(
      await outcome(pair, sql),
      /^400 CONVOY_SQL (CV003|CV005|42P17|0A000|42601|42804|42883|42P16|42846)/,
      sql
    )
  const taken = [
    'create table ok (id int primary key, v text, n int, at timestamptz, s timestamp, h hue, j jsonb, b bool, p pair, r int4range, exclude using gist (r with &&))',
    "alter table ok add constraint c1 check (at > '2024-01-01' and v in ('known', 'unknown'))",
    "alter table ok add constraint c2 check (v ~ '^[a-z]+$' and length(v) < 100 and v is not null)",
    "alter table ok add constraint c3 check (h in ('red', 'blue') or h > 'red')",
    "alter table ok add constraint c4 check (at::date >= '2020-01-01' and at > s)",
    "alter table ok add constraint c5 check (j ? 'a' and (j ->> 'n')::int > 0)",
    'alter table ok add constraint c6 check ((p).a > 0)',
    "alter table ok add column g1 text generated always as (lower(v) || '!') stored",
    "alter table ok add column g2 tsvector generated always as (to_tsvector('english', v)) stored",
    'alter table ok add column g3 date generated always as ((s)::date) stored',
    "alter table ok add column g4 int generated always as ((j ->> 'n')::int) stored",
    'alter table ok add column g5 numeric generated always as (n * 1.5) stored',
    'create index on ok (lower(v)) where b and n > 0',
    "create index on ok ((j ->> 'a'))",
    "create index on ok using gin (to_tsvector('simple', v))",
    'create index on ok using hash (h)',
    'create unique index on ok (v collate "C" desc)',
    "create index on ok (date_trunc('day', s))",
    "create view w as select *, now() - at as age from ok where v <> 'now'",
    'create view w2 as select tableoid::regclass, xmin from ok',
    "create domain email as text check (value ~ '@') default 'a@b'",
    'create table ok2 (id int primary key, e email)'
  ]
  for (const sql of taken) t.equal(await outcome(pair, sql), 'taken', sql)
  const [entry] = await pair.run(
    command([
      `insert into ok (id, v, n, at, s, h, j, b, p, r)
        values (1, 'known', 2, now(), '2020-01-01', 'blue', '{"a": 1, "n": 5}', true, '(1,now)', '[1,3)')`
    ])
  )
  t.equal(entry?.status, 200, entry?.result ?? '')
  t.strictSame(await pair.differing(), [])
})

t.test('partitions hold the same rows on every worker', async t => {
  const pair = await startOddPair(t)
  await pair.run(...FILLED)
  const refused = [
    'create table r (h hue, id int, primary key (h, id)) partition by hash (h)',
    'create table r (h hue[], id int, primary key (h, id)) partition by hash (h)',
    'create table r (h hue, id int, primary key (h, id)) partition by hash (id, h)',
    'create table r (p pair, id int, primary key (p, id)) partition by hash (p)',
    'create table r (p tstzrange, id int, primary key (p, id)) partition by hash (p)',
    'create table r (p int4multirange, id int, primary key (p, id)) partition by hash (p)',
    'create table r (p int[], id int, primary key (p, id)) partition by hash (p)',
    'create table r (v text collate "und-x-icu", primary key (v)) partition by range (v)'
  ]
  for (const sql of refused) t.match(await outcome(pair, sql), NOT_READ, sql)
  await pair.run(
    ddl('create domain hued as hue'),
    ddl('create table pt (at timestamptz, id int, primary key (at, id)) partition by range (at)'),
    ddl('create table po (o int8, id int, primary key (o, id)) partition by list (o)')
  )
  t.match(
    await outcome(
      pair,
      'create table r (h hued, id int, primary key (h, id)) partition by hash (h)'
    ),
    NOT_READ
  )
  for (const bound of [
    "'yesterday'",
    "'now'",
    "timestamptz 'today'",
    "e'\\156ow'",
    "U&'\\006eow'",
    '$$now$$'
  ]) {
    t.match(
      await outcome(
        pair,
        `create table r partition of pt for values from (${bound}) to ('2100-01-01')`
      ),
      VARYING,
      bound
    )
  }
  const taken = [
    "create table pt1 partition of pt for values from ('2024-01-01') to ('2030-01-01')",
    'create table pt2 partition of pt default',
    'create table ph (k text, id int, primary key (k, id)) partition by hash (k, id)',
    ...[0, 1, 2].map(
      n => `create table ph${n} partition of ph for values with (modulus 3, remainder ${n})`
    ),
    'create table pl (h hue, id int, primary key (h, id)) partition by list (h)',
    "create table pl1 partition of pl for values in ('red', 'blue')",
    'create table pl2 partition of pl default',
    'create table pr (h hue, id int, primary key (h, id)) partition by range (h)',
    "create table pr1 partition of pr for values from (minvalue) to ('green')",
    "create table pr2 partition of pr for values from ('green') to (maxvalue)",
    'create table pe (v text not null, id int) partition by range (lower(v))'
  ]
  for (const sql of taken.slice(0, -1)) t.equal(await outcome(pair, sql), 'taken', sql)
  await pair.run(
    command([
      'insert into pl select h, 1 from unnest(enum_range(null::hue)) h',
      'insert into pr select * from pl',
      "insert into ph select 'k' || g, g from generate_series(1, 100) g",
      "insert into pt select now() + g * interval '1 year', g from generate_series(-5, 5) g"
    ])
  )
  const where = `select tableoid::regclass::text as t, count(*) as n from ph group by 1 union all
    select tableoid::regclass::text, count(*) from pl group by 1 union all
    select tableoid::regclass::text, count(*) from pt group by 1 union all
    select tableoid::regclass::text, count(*) from pr group by 1 order by 1`
  t.strictSame(await rowsOf(pair.replica.store, where), await rowsOf(pair.master.store, where))
  t.equal(await outcome(pair, 'drop table pl2'), 'taken')
  t.strictSame(await pair.differing(), [])
})

t.test('a column has a type whose values are read back from their text', async t => {
  const pair = await startOddPair(t)
  await pair.run(ddl('create type ok as (a int, b text)'))
  const types = [
    ...[
      'regclass',
      'regproc',
      'regprocedure',
      'regoper',
      'regoperator',
      'regtype',
      'regrole',
      'regnamespace',
      'regconfig',
      'regdictionary',
      'regcollation'
    ],
    ...[
      'xid',
      'xid8',
      'cid',
      'tid',
      'refcursor',
      'aclitem',
      'txid_snapshot',
      'pg_node_tree',
      'pg_ndistinct',
      'int2vector',
      'oidvector',
      'gtsvector'
    ]
  ]
  for (const type of types) {
    t.match(
      await outcome(pair, `create table r (id int primary key, c ${type})`),
      /CV005|0A000|42P16/,
      type
    )
    t.match(
      await outcome(pair, `create type r as (c ${type})`),
      /CV005|0A000|42P16/,
      `composite of ${type}`
    )
    t.match(
      await outcome(pair, `create domain r as ${type}`),
      /CV005|0A000|42P16/,
      `domain of ${type}`
    )
    t.match(
      await outcome(pair, `alter type ok add attribute c ${type}`),
      /CV005|0A000|42P16/,
      `attribute of ${type}`
    )
  }
  for (const sql of [
    'create table r (id int primary key, c regclass[])',
    'create table r (id int primary key, c pg_class)',
    'create table r (id int primary key, c pg_type[])',
    'create type r as range (subtype = regclass)',
    'create type r as range (subtype = xid8)',
    'create table r (id int primary key, c text collate "de-x-icu")',
    'create table r (c regtype primary key)'
  ]) {
    t.match(await outcome(pair, sql), /^400 CONVOY_SQL (CV005|42704)/, sql)
  }
  t.match(await outcome(pair, 'create table r (id int primary key, c regclass)'), /take text/)
  t.equal(await outcome(pair, 'create table holder (id int primary key, c ok, d ok[])'), 'taken')
  t.equal(await outcome(pair, 'alter type ok add attribute c numeric'), 'taken')
  await pair.run(command(["insert into holder values (1, '(1,a,2)', '{\"(1,,)\"}')"]))
  t.strictSame(await pair.differing(), [])
})

t.test('a value that its text does not give back is refused, and its client told', async t => {
  const pair = await startOddPair(t)
  await pair.run(
    ddl('create type timed as (t timetz, i interval)'),
    ddl(`create table d (id int primary key, i interval, q tsquery, z timetz, c circle, x xml, a interval[], m timed,
      r int4range, ts tsvector)`),
    ddl('create table plain (id int primary key, c circle[])')
  )
  const refused = [
    "insert into d (id, i) values (1, '-9223372036854775808 microseconds')",
    "insert into d (id, q) values (1, 'a & (b & c)')",
    "insert into d (id, q) values (1, 'a'::tsquery && ('b' && ('c'::tsquery && 'd')))",
    "insert into d (id, z) values (1, timetz '12:00+00' at time zone interval '1000 hours')",
    'insert into d (id, c) values (1, circle(point(0, 0), -5))',
    'insert into plain values (1, array[circle(point(0, 0), -5)])',
    `insert into d (id, x) values (1, xmlroot('<a/>', version 'x"y'))`,
    "insert into d (id, a) values (1, array[interval '-9223372036854775808 microseconds'])",
    "insert into d (id, m) values (1, row(timetz '12:00+00' at time zone interval '-100 hours', null))",
    "insert into d (id) values (7) on conflict (id) do update set q = 'a & (b & c)'"
  ]
  await pair.run(command(['insert into d (id) values (7)']))
  for (const sql of refused) {
    const [entry] = await pair.run(command([sql]))
    const { code, sqlstate, message } = resultOf(entry)
    t.strictSame([entry?.status, code, sqlstate], [400, 'CONVOY_SQL', 'CV006'], sql)
    t.match(message, /cannot be read back/)
  }
  const good = command(
    [
      `insert into d values (1, '-178000000 years', 'a & !b | c:*', '12:00-15:59:59', '<(1,2),0>', '<a/>', '{1 day,NULL}',
      '("12:00+01","1 mon")', '[1,2)', 'a:1A b')`,
      "update d set i = i - interval '1 second' where id = 1",
      'alter table d rename column q to query'
    ].slice(0, 2)
  )
  const [entry] = await pair.run(good)
  t.equal(entry?.status, 200, entry?.result ?? '')
  t.match(
    await outcome(pair, 'alter table d alter c type circle using circle(point(0, 0), -5)'),
    /CV006/
  )
  t.match(
    await outcome(pair, 'alter table d add e circle default circle(point(0, 0), -5)'),
    /CV006/
  )
  t.strictSame(await pair.differing(), [])
})

t.test('a master builds nothing so deep that a replica cannot read it', async t => {
  const { run, differing } = await startPair(t)
  await run(ddl('create table deep (id int primary key, j jsonb, t json)'))
  const nested = (depth: string) => `repeat('[', ${depth}) || '1' || repeat(']', ${depth})`
  let [low, high] = [1, 40_000]
  while (low < high) {
    const depth = Math.ceil((low + high) / 2)
    const [entry] = await run(
      command([`insert into deep (id, j) values (${depth}, (${nested(String(depth))})::jsonb)`])
    )
    if (entry?.status === 200) low = depth
    else high = depth - 1
  }
  t.ok(low > 5_000, `${low} levels`)
  for (const depth of [low, low - 1, low - 2]) {
    await run(
      command([
        `insert into deep (id, t) values (${100_000 + depth}, (${nested(String(depth))})::json)`
      ])
    )
    await run(command([`update deep set j = jsonb_build_array(j) where id = ${depth}`]))
  }
  t.strictSame(await differing(), [])
})

t.test('a database of an older version gets the checks, and keeps what it has', async t => {
  const { dir, server, store } = await startWorker(t)
  await below(
    server,
    `alter event trigger convoy_1_check disable; drop event trigger convoy_4_rewrite;
     drop table convoy.examined, convoy.conversion;
     drop view convoy.place_of_values, convoy.place_of_keys, convoy.stored_expression;
     drop function convoy.examine_new, convoy.settle_schema, convoy.tree_fault, convoy.fill_fault;
     alter event trigger convoy_1_check enable always`
  )
  await store[Symbol.asyncDispose]()
  await server.stop()
  const { store: later } = await openWorker(t, dir)
  await later.beginTerm(1)
  const said = async (sql: string) =>
    (await later.execute([ddl(sql)], 1)).map(executed => resultOf(entryOf(executed)).sqlstate)
  t.strictSame(await said('create table a (id int primary key, v text)'), [undefined])
  t.strictSame(await said('create table b (id int primary key, v regclass)'), ['CV005'])
  t.strictSame(await said('alter table a alter v type text using xmin::text'), ['CV003'])
})

t.test('what was there before the checks stays, and can be changed', async t => {
  const pair = await startPair(t)
  const { master, replica, run, differing } = pair
  const old = `set convoy.index = 0; set role convoy_app;
    create table o (id int primary key, c regclass, check (pg_column_size(id) > 0))`
  for (const { server } of [master, replica]) await below(server, old)
  await run(
    ddl('alter table o add column v text'),
    command(["insert into o (id, v) values (1, 'a')"])
  )
  t.equal(await outcome(pair, 'alter table o rename to p'), 'taken')
  t.match(await outcome(pair, 'alter table p add column d regtype'), NOT_READ)
  t.equal(await outcome(pair, 'create index on p (v)'), 'taken')
  t.strictSame(await differing(), [])
})
