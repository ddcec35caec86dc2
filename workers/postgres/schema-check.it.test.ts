/**
 * What a schema change makes of the data is compared before a replica confirms it. Replicas are
 * made to differ below Convoy; the schema change itself shows it, not a `verify`.
 */
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  type Pair,
  resultOf,
  rowsOf,
  startPair
} from '../../testing/fixtures/postgres.ts'
import { DivergedError } from '../store.ts'

const BEFORE = [
  'create table a (id int primary key, v text, n int)',
  `create type mood as enum ('ok', 'bad')`,
  'create type pair as (x int, y int)',
  'create domain word as text',
  'create table typed (id int primary key, m mood, p pair, w word, ps pair[])',
  'create table parts (id int, v int, primary key (id)) partition by range (id)',
  'create table part_1 partition of parts for values from (0) to (10)',
  'create table part_2 partition of parts for values from (10) to (20)',
  'create table apart (id int primary key, v int)'
]
const ROWS = [
  `insert into a select g, 'v' || g, g from generate_series(1, 20) g`,
  `insert into typed select g, 'ok', row(g, 1)::pair, 'w', array[row(1, g)::pair] from generate_series(1, 5) g`,
  'insert into parts select g, g from generate_series(1, 19) g',
  'insert into apart select g, g from generate_series(20, 25) g'
]

async function pairWith(t: Test): Promise<Pair> {
  const pair = await startPair(t)
  const entries = await pair.run(...BEFORE.map(ddl), ...ROWS.map(sql => command([sql])))
  t.strictSame([...new Set(entries.map(({ status }) => status))], [200])
  return pair
}

const compared = (changes: string) => {
  const all = JSON.parse(changes) as { op: string; items?: { kind: string; name: string }[] }[]
  return all.find(({ op }) => op === 'compare')?.items?.map(({ kind, name }) => `${kind} ${name}`)
}

/** Runs it on the master, and on the replica. @returns why the replica does not take it */
async function refusedBy(t: Test, { master, replica }: Pair, sql: string) {
  const { last } = replica.store
  const entry = entryOf((await master.store.execute([ddl(sql)], 1))[0])
  t.equal(entry.status, 200, entry.result)
  const why = await replica.store.apply([entry], 1).then(
    () => 'it was applied',
    (err: Error) => (err instanceof DivergedError ? err.message : `${err}`)
  )
  t.strictSame(replica.store.last, last, `nothing of it is kept: ${sql}`)
  return { why, entry }
}

t.test('a row that differs is found by what writes it anew, fills it or shows it anew', async t => {
  const pair = await pairWith(t)
  const onReplica = (sql: string) =>
    below(pair.replica.server, `set session_replication_role = replica; ${sql}`)
  const v = (value: string, table = 'a') => `update ${table} set v = ${value} where id = 7`
  const w = (value: string) => `update typed set w = ${value} where id = 2`
  const cases: readonly [damage: string, sql: string, found: string, undone: string][] = [
    [v(`'x'`), 'alter table a alter column n type bigint', 'a', v(`'v7'`)],
    [v(`'x'`), 'alter table a add column f int default 5', 'a', v(`'v7'`)],
    [v('null'), 'alter table a add column g int', 'a', v(`'v7'`)],
    [
      v(`'V7'`),
      'alter table a add column h int generated always as (n + 1) stored',
      'a',
      v(`'v7'`)
    ],
    [v(`'x'`), 'alter table a alter column v type varchar(100)', 'a', v(`'v7'`)],
    [v(`'x'`), 'alter table a drop column g', 'a', v(`'v7'`)],
    [w(`'x'`), `alter type mood rename value 'ok' to 'good'`, 'typed', w(`'w'`)],
    [w(`'x'`), 'alter type pair add attribute z int', 'typed', w(`'w'`)],
    [v('0', 'part_1'), 'alter table parts alter column v type bigint', 'part_1', v('7', 'part_1')],
    [v('0', 'part_1'), 'alter table parts detach partition part_1', 'part_1', v('7', 'part_1')],
    [
      v('0', 'part_1'),
      'alter table parts attach partition part_1 for values from (0) to (10)',
      'part_1',
      v('7', 'part_1')
    ]
  ]
  for (const [damage, sql, found, undone] of cases) {
    await onReplica(damage)
    const { why, entry } = await refusedBy(t, pair, sql)
    t.equal(why, `after the schema change of entry ${entry.index}: ${found}`, sql)
    await onReplica(undone)
    await pair.replica.store.apply([entry], 1)
  }
  await onReplica('delete from a where id = 7')
  const { why } = await refusedBy(t, pair, 'alter table a alter column v type text')
  t.match(why, /: a$/)
})

t.test('an object that comes out otherwise is found, whatever the statement was', async t => {
  const pair = await pairWith(t)
  await below(
    pair.replica.server,
    `alter event trigger convoy_1_check disable; alter table a alter column n set default 3;
     alter table a rename constraint a_pkey to other; alter event trigger convoy_1_check enable always`
  )
  t.match(
    (await refusedBy(t, pair, 'alter table a alter column v set not null')).why,
    /^after the schema change of entry 15: table a$/
  )
})

t.test('a statement that each worker answers otherwise is not confirmed', async t => {
  const statements = [
    'alter table a add column at timestamptz default clock_timestamp()',
    'alter table a add column r float8 default random()',
    'alter table a alter column v type text using pg_backend_pid()::text'
  ]
  for (const sql of statements) {
    const pair = await pairWith(t)
    // The database's own checks refuse these: here they are off, as if one had come past them.
    for (const { server } of [pair.master, pair.replica]) {
      const off = (name: string) => `alter event trigger ${name} disable`
      const unread = `create or replace function convoy.examine_conversion(statement text,
        conversions text[]) returns void language plpgsql as 'begin end'`
      await below(server, `${off('convoy_1_check')}; ${off('convoy_4_rewrite')}; ${unread}`)
    }
    const { why } = await refusedBy(t, pair, sql)
    t.match(why, /^after the schema change of entry 15: (a|default a\.\w+)/, sql)
  }
})

t.test('equal workers take all of it, and only what may have changed is summed', async t => {
  const pair = await pairWith(t)
  const cases: readonly [sql: string, ...compared: string[]][] = [
    ['create index i on a (v)', 'index i'],
    ['alter table a add constraint c check (n > 0)', 'constraint a.c'],
    ['alter table a add column f int default 5', 'rows a', 'table a', 'default a.f'],
    ['alter table a add column g int', 'rows a', 'table a'],
    ['alter table a alter column n type bigint', 'rows a', 'table a', 'default a.f'],
    ['alter table a drop column f', 'rows a', 'table a'],
    ['alter table a rename column g to h', 'table a'],
    [
      'alter table a rename to b',
      'table b',
      'index i',
      'constraint b.a_pkey',
      'constraint b.c',
      'index a_pkey',
      'table a',
      'constraint a.c',
      'constraint a.a_pkey'
    ],
    [
      'alter table parts detach partition part_2',
      'rows part_2',
      'table part_2',
      'index part_2_pkey',
      'constraint part_2.part_2_pkey'
    ],
    ['drop table part_2', 'table part_2', 'index part_2_pkey', 'constraint part_2.part_2_pkey'],
    ['create view s as select id from b', 'view s'],
    [`alter type mood add value 'fine' before 'bad'`, 'rows typed', 'type mood'],
    ['create sequence q', 'sequence q']
  ]
  for (const [sql, ...items] of cases) {
    const [entry] = await pair.run(ddl(sql))
    t.equal(entry?.status, 200, String(entry?.result))
    t.strictSame(compared(entry?.changes ?? '[]')?.sort(), items.sort(), sql)
  }
  t.strictSame(await pair.differing(), [])
})

t.test('a failed schema change compares nothing', async t => {
  const pair = await pairWith(t)
  const [entry] = await pair.run(ddl('alter table nowhere add column x int'))
  t.equal(entry?.status, 400)
  t.notOk(entry?.changes.includes('compare'))
})

t.test('schema changes and rows of one command are compared behind all of them', async t => {
  const pair = await pairWith(t)
  const [entry] = await pair.run(
    command([
      { sql: 'create table two (id int primary key)', kind: 'ddl' },
      'insert into two values (1), (2)',
      { sql: 'alter table two add column v int default 3', kind: 'ddl' },
      'update two set v = 4 where id = 2'
    ])
  )
  t.equal(entry?.status, 200, String(entry?.result))
  t.ok(resultOf(entry))
  t.strictSame(await rowsOf(pair.replica.store, 'select * from two order by id'), [
    { id: 1, v: 3 },
    { id: 2, v: 4 }
  ])
  t.strictSame(await pair.differing(), [])
})
