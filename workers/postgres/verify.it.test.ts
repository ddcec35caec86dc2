/**
 * What `verify` finds: each kind of difference by its name, and nothing on a schema that has
 * something of everything. Differences are made below Convoy, on the replica alone.
 */
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  type Pair,
  startPair,
  verifyBoth
} from '../../testing/fixtures/postgres.ts'
import type { Item } from '../../wire/verify.ts'

const write = (...sql: string[]) => command(sql)
const good = (entries: readonly { status: number; result: string }[]) =>
  entries.filter(({ status }) => status !== 200).map(({ result }) => result)

/** Past Convoy's triggers, event triggers and walls. */
const PAST_ALL = `set session_replication_role = replica; set allow_system_table_mods = on;
  alter event trigger convoy_1_check disable; alter event trigger convoy_2_write disable;`
const BACK = `alter event trigger convoy_1_check enable always;
  alter event trigger convoy_2_write enable always;`
const damage = (pair: Pair, sql: string) =>
  below(pair.replica.server, `${PAST_ALL} ${sql}; ${BACK}`)

const SCHEMA = [
  `create type mood as enum ('ok', 'bad')`,
  `alter type mood add value 'fine' before 'bad'`,
  'create domain small as int check (value < 1000)',
  'create type pair as (a int, b text)',
  'create type span as range (subtype = int4)',
  `create table things (id serial primary key, body text not null default 'x', n small, m mood,
    p pair, s span, twice int generated always as (n * 2) stored, at timestamptz default now(),
    unique (body, n), check (n <> 7))`,
  `create table notes (id int generated always as identity primary key, thing int references things,
    about text not null default '')`,
  'create index notes_thing on notes (thing) where thing > 0',
  'create index spare on notes (thing, id)',
  'create view seen as select id, body from things where n > 0',
  'create view twice as select body, twice from things',
  'create sequence free increment by 5 cache 3',
  'create table parts (id int, r text, primary key (id, r)) partition by list (r)',
  `create table part_x partition of parts for values in ('x')`,
  `create table part_y partition of parts for values in ('y')`,
  'create table hashed (id int primary key, v text) partition by hash (id)',
  'create table hashed_0 partition of hashed for values with (modulus 2, remainder 0)',
  'create table hashed_1 partition of hashed for values with (modulus 2, remainder 1)',
  'alter table things add column extra int default 5',
  'alter table things drop column at',
  'alter table things add column at date'
]
const ROWS = [
  `insert into things (body, n, m, p, s) values ('a', 1, 'ok', '(1,"x y")', '[1,4)'), ('b', 2, 'fine', null, null)`,
  'insert into notes (thing) values (1), (2)',
  `insert into parts values (1, 'x'), (2, 'y'), (3, 'x')`,
  `insert into hashed select n, 'v' || n from generate_series(1, 50) n`,
  `select nextval('free')`
]

async function filled(t: Test): Promise<Pair> {
  const pair = await startPair(t)
  for (const sql of SCHEMA) t.strictSame(good(await pair.run(ddl(sql))), [], sql)
  t.strictSame(good(await pair.run(...ROWS.map(sql => write(sql)))), [])
  return pair
}

t.test('a schema with something of everything is equal, also after changes', async t => {
  const pair = await filled(t)
  t.strictSame(await pair.differing(), [])
  const changes = [
    'alter table things drop column extra',
    `alter table things add column extra text default 'y'`,
    'alter type pair add attribute c date',
    `alter type mood rename value 'bad' to 'worse'`,
    'alter table things alter column n type bigint using n + 1',
    'alter table parts detach partition part_y',
    `alter table parts attach partition part_y for values in ('y', 'z')`,
    'alter table notes rename column thing to whom',
    'alter table notes rename to remarks',
    'alter sequence free increment by 7',
    'drop view seen, twice',
    'alter domain small drop constraint small_check',
    'alter table hashed alter column v set default 1::text'
  ]
  for (const sql of changes) {
    const entries = await pair.run(ddl(sql))
    if (entries[0]?.status !== 200) t.comment(sql, entries[0]?.result)
  }
  t.strictSame(good(await pair.run(write(`insert into things (body) values ('z')`))), [])
  t.strictSame(await pair.differing(), [])
})

/** What is done, and what `verify` says of it. */
type Case = readonly [by: string, ...found: string[]]

const GROUPS: Readonly<Record<string, readonly Case[]>> = {
  'rows, partition by partition, and sequences': [
    [`update things set body = 'other' where id = 1`, 'things'],
    [
      // As a hash that differs from worker to worker would have it.
      `create table moved as select h.*, relpartbound from hashed_0 h, pg_class
         where relname = 'hashed_1' limit 1;
       delete from hashed_0 where id in (select id from moved);
       update pg_class set relispartition = false, relpartbound = null where relname = 'hashed_1';
       insert into hashed_1 select id, v from moved;
       update pg_class set relispartition = true, relpartbound = moved.relpartbound from moved
         where relname = 'hashed_1';
       drop table moved`,
      'hashed_0',
      'hashed_1'
    ],
    [`select setval('free', 1)`, 'position of sequence free'],
    [`select setval('things_id_seq', 1000)`, 'position of sequence things_id_seq'],
    ['alter sequence free cache 1', 'sequence free'],
    ['alter table notes add column more int', 'notes', 'table notes']
  ],
  'constraints and indexes': [
    [
      'alter table things drop constraint things_n_check',
      'constraint things.things_n_check (missing)'
    ],
    [
      `update pg_constraint set convalidated = false where conname = 'notes_thing_fkey'`,
      'constraint notes.notes_thing_fkey'
    ],
    ['drop index notes_thing; create index notes_thing on notes (thing)', 'index notes_thing'],
    ['create index more on notes (id)', `index more (not the master's)`],
    ['drop index spare', 'index spare (missing)'],
    [
      `update pg_index set indisvalid = false where indexrelid = 'part_y_pkey'::regclass`,
      'index part_y_pkey'
    ]
  ],
  'tables, views, types and rights': [
    [`alter table things alter column body set default 'y'`, 'table things'],
    ['alter table notes alter column about drop not null', 'table notes'],
    ['create or replace view seen as select id, body from things where n > 1', 'view seen'],
    [`alter type mood add value 'none'`, 'type mood'],
    ['alter domain small set default 1', 'type small'],
    ['alter type pair add attribute c int', 'things', 'type pair'],
    ['revoke select on parts from convoy_read', 'table parts'],
    ['alter view twice owner to convoy_owner', 'view twice'],
    [
      `delete from part_y; alter table parts detach partition part_y;
       alter table parts attach partition part_y for values in ('z')`,
      'part_y',
      'table part_y'
    ]
  ],
  'triggers that capture nothing': [
    [
      'alter table things disable trigger convoy_update',
      'trigger things.convoy_update is not enabled'
    ],
    ['drop trigger convoy_delete on part_x', 'trigger part_x.convoy_delete is missing'],
    [
      `update pg_trigger set tgfoid = 'convoy.capture_insert'::regproc where tgname = 'convoy_truncate'
        and tgrelid = 'notes'::regclass`,
      'trigger notes.convoy_truncate runs another function'
    ],
    [
      `create table more (id int primary key)`,
      `constraint more.more_pkey (not the master's)`,
      `index more_pkey (not the master's)`,
      `table more (not the master's)`,
      ...['insert', 'update', 'truncate', 'delete', 'keys'].map(
        of => `trigger more.convoy_${of} is missing`
      )
    ]
  ],
  'the log': [
    [
      `update convoy.log set result = '[9]' where index = 9`,
      'log entry 9 is not what its checksum says'
    ],
    [
      `update convoy.log set request_key = '=other' where index = 11`,
      'log entry 11 is not found by its request'
    ],
    ['delete from convoy.log where index in (5, 6)', 'log entry 7 entries from 5 on are missing']
  ],
  'a checksum in the log, and its end': [
    [
      `update convoy.log set checksum = 'x' where index = 9`,
      'log entry 9 is not what its checksum says',
      'log entry 10 is not what its checksum says'
    ],
    [
      'delete from convoy.log where index = (select max(index) from convoy.log)',
      `log entry ${SCHEMA.length + ROWS.length + 1} the log ends at ${SCHEMA.length + ROWS.length}`
    ]
  ]
}

for (const [what, cases] of Object.entries(GROUPS)) {
  t.test(`verify finds what differs in ${what}`, async t => {
    const pair = await filled(t)
    for (const [by] of cases) await damage(pair, by)
    const found = cases.flatMap(([, ...found]) => found)
    t.strictSame([...(await pair.differing())].sort(), found.sort())
  })
}

t.test('verify finds an index that does not hold what its table holds', async t => {
  const pair = await filled(t)
  // As an index looks that a row never reached: it is not written while it counts as not ready.
  const ready = (is: boolean) =>
    damage(
      pair,
      `update pg_index set indisready = ${is}, indisvalid = ${is}
      where indexrelid = 'spare'::regclass`
    )
  await ready(false)
  await pair.run(write('insert into notes (thing) values (1)'))
  await ready(true)
  const found = await pair.differing()
  t.equal(found.length, 1, found.join('; '))
  t.match(found[0], /^index spare heap tuple .* lacks matching index tuple/)
})

t.test('verify finds an event trigger that is off', async t => {
  const pair = await filled(t)
  await below(pair.replica.server, 'alter event trigger convoy_2_write enable')
  t.strictSame(await pair.differing(), ['event trigger convoy_2_write is not always enabled'])
})

t.test('the master names its own faults, and replicas do not take them over', async t => {
  const pair = await filled(t)
  await below(pair.master.server, `update convoy.log set result = '[9]' where index = 9`)
  const { master, replica } = await verifyBoth(pair)
  const faults = (items: readonly Item[]) => items.filter(({ kind }) => kind === 'fault')
  t.match(faults(master), [{ name: 'log entry 9', sum: 'is not what its checksum says' }])
  t.strictSame(faults(replica), [])
})

t.test('checksums of every text are computed in the database as they were made', async t => {
  const pair = await startPair(t)
  await pair.run(ddl('create table texts (id text primary key, v text)'))
  const texts = [
    '',
    'plain',
    'äöü',
    '漢字',
    '😀 and 𝒳',
    '\\ " \'',
    'a\u2028b',
    '\u0001',
    'x'.repeat(70_000)
  ]
  for (const [i, text] of texts.entries()) {
    const insert = { sql: 'insert into texts values ($1, $2) returning *', params: [`${i}`, text] }
    await pair.run(command([insert], { requestId: `${text.slice(0, 150)}#${i}` }))
  }
  await pair.run(write('insert into nowhere values (1)'))
  t.strictSame(await pair.differing(), [])
})

t.test('who joins is told where all sequences are', async t => {
  const pair = await filled(t)
  // As in a copy that was made while the master gave out values: some are logged ahead.
  await below(pair.replica.server, `select setval('free', last_value + 160) from free`)
  t.strictSame(await pair.differing(), ['position of sequence free'])
  pair.master.store.nameSequences()
  t.strictSame(await pair.differing(), [])
  await pair.run(write(`select nextval('free')`))
  t.strictSame(await pair.differing(), [])
})
