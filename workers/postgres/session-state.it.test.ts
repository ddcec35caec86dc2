/**
 * Clients share PostgreSQL's sessions. What a statement can leave behind in one must not reach
 * the next client's: neither in the same batch nor later, neither in writes nor in reads.
 */
import t from 'tap'
import {
  below,
  CLONE_PASSWORD,
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { openStore } from './store.ts'

const MODES = ['straight', 'savepoints', 'stepwise'] as const

for (const leastMode of MODES) {
  t.test(`lastval and currval tell of their own write alone, ${leastMode}`, async t => {
    const { store } = await startWorker(t, {}, { leastMode })
    await store.beginTerm(1)
    const columns = 'id bigint generated always as identity primary key, v text'
    await store.execute([ddl(`create table a (${columns})`), ddl(`create table b (${columns})`)], 1)
    const run = async (...texts: string[][]) =>
      (
        await store.execute(
          texts.map(text => command(text)),
          1
        )
      )
        .map(entryOf)
        .map(resultOf)
    const insert = "insert into a (v) values ('x'), ('y') returning id"
    for (let i = 0; i < 3; i++) {
      const results = await run(
        [insert, 'select lastval()', "select currval('a_id_seq')"],
        ['select lastval()'],
        ["select currval('a_id_seq')"],
        [
          "insert into b (v) values ('of b') returning id",
          insert,
          "select currval('b_id_seq')",
          'select lastval()'
        ],
        ['select lastval()']
      )
      const [own, last, current, both, after] = results
      const idOf = (result: { rows: { id: string }[] }) => result.rows.at(-1)?.id
      t.strictSame(own[1].rows, [{ lastval: idOf(own[0]) }])
      t.strictSame(own[2].rows, [{ currval: idOf(own[0]) }])
      t.strictSame(both[2].rows, [{ currval: idOf(both[0]) }])
      t.strictSame(both[3].rows, [{ lastval: idOf(both[1]) }])
      for (const refused of [last, current, after]) {
        t.match(refused, { sqlstate: '55000', message: /not yet defined in this session/ })
      }
    }
    t.match(await readOf(store, 'select lastval()'), { status: 400, body: { sqlstate: '55000' } })
  })
}

t.test('changes keep their order without a sequence, whatever was undone before', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key)')], 1)
  for (let i = 0; i < 60; i++) {
    const steps = ['insert into a values (1)', 'update a set id = 2', 'delete from a']
    const undone = command([...steps, ...steps, 'select 1 / 0'])
    const executed = await store.execute([undone, command([...steps, ...steps]), undone], 1)
    const changes = JSON.parse(entryOf(executed[1]).changes).map(({ op }: { op: string }) => op)
    t.strictSame(changes, ['insert', 'update', 'delete', 'insert', 'update', 'delete'])
  }
})

/** A way to leave something behind, and how another client could come across it. */
const LEAVING: readonly (readonly [leave: string, find: string, clean: unknown])[] = [
  [
    "select set_config('work_mem', '64kB', false)",
    "select current_setting('work_mem') as v",
    [{ v: '4MB' }]
  ],
  ["set timezone = 'Asia/Tokyo'", "select current_setting('timezone') as v", [{ v: 'UTC' }]],
  ["set local timezone = 'Asia/Tokyo'", "select current_setting('timezone') as v", [{ v: 'UTC' }]],
  [
    "update pg_settings set setting = '64' where name = 'work_mem'",
    "select current_setting('work_mem') as v",
    [{ v: '4MB' }]
  ],
  ['set role convoy_read', 'select count(*) from pg_tables where false', [{ count: '0' }]],
  ['create temp table t (a int)', "select to_regclass('pg_temp.t') as t", [{ t: null }]],
  ['create temp view t as select 1', "select to_regclass('pg_temp.t') as t", [{ t: null }]],
  ['create temp sequence t', "select to_regclass('pg_temp.t') as t", [{ t: null }]],
  ['select 1 into temp t', "select to_regclass('pg_temp.t') as t", [{ t: null }]],
  ['declare c cursor with hold for select 1', 'select 1 as n', [{ n: 1 }]],
  ['prepare p as select 1', 'select 1 as n', [{ n: 1 }]],
  ['listen news', 'select 1 as n', [{ n: 1 }]],
  ['select pg_advisory_lock(1)', "select 1 as n from pg_locks where locktype = 'advisory'", []],
  [
    'select setseed(0.5)',
    'select random() in (0.2499104186659835, 0.9851677175347999) as known',
    [{ known: false }]
  ],
  ['select lo_create(1)', 'select count(*) from pg_largeobject_metadata', [{ count: '0' }]],
  ["select pg_notify('news', 'x')", 'select 1 as n', [{ n: 1 }]],
  ['set constraints all deferred', 'select 1 as n', [{ n: 1 }]],
  ['set transaction isolation level serializable', 'select 1 as n', [{ n: 1 }]]
]

t.test('nothing else that a write leaves behind reaches another client', async t => {
  const { store } = await startWorker(t, { readers: 1 })
  await store.beginTerm(1)
  for (const [leave, find, clean] of LEAVING) {
    const [left, found] = (await store.execute([command([leave]), command([find])], 1)).map(entryOf)
    t.equal(left?.status, 400, leave)
    t.strictSame(resultOf(found)[0].rows, clean, find)
    const [later] = (await store.execute([command([find])], 1)).map(entryOf)
    t.strictSame(resultOf(later)[0].rows, clean, find)
  }
})

t.test('nor what a read leaves behind', async t => {
  const { store } = await startWorker(t, { readers: 1 })
  for (const [leave, find, clean] of LEAVING) {
    const [left, found] = await Promise.all([readOf(store, leave), readOf(store, find)])
    t.equal(left.status, 400, leave)
    t.strictSame(found.body.rows, clean, find)
  }
})

t.test('a database of an older version gets the same', async t => {
  const { store, server } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id serial primary key)')], 1)
  await store[Symbol.asyncDispose]()
  await below(
    server,
    `drop index convoy.change_index;
    alter table convoy.change add column seq int8 not null generated always as identity;
    create index on convoy.change (index, seq)`
  )
  const identity = { workerId: 'w1', secret: 's', clonePassword: CLONE_PASSWORD }
  await using reopened = await openStore({ server, ...identity })
  const both = command(['insert into a default values returning id', 'select lastval() as id'])
  const [entry] = (await reopened.execute([both], 1)).map(entryOf)
  t.strictSame(
    resultOf(entry).map(({ rows }: { rows: unknown }) => rows),
    [[{ id: 1 }], [{ id: '1' }]]
  )
})

const part = 'select 1 from a x join a y using (id) join a z using (id) where id ='
/** Its plan takes about 10 MB. */
const wide = (n: number) =>
  `select ${n} where exists (${Array.from({ length: 230 }, (_, i) => `${part} ${i}`).join(' union ')})`

t.test('plans that one client has left take no memory from another', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)
  for (let n = 0; n < 25; n++) {
    for (let times = 0; times < 2; times++) await store.execute([command([wide(n)])], 1)
    const mine = command([`insert into a values (${n}, repeat('x', 20000000))`, 'delete from a'])
    const [entry] = (await store.execute([mine], 1)).map(entryOf)
    if (entry?.status !== 413) t.fail(`after ${n}: ${entry?.result.slice(0, 200)}`)
  }
})

t.test('nor do those of reads: one that lacks memory runs again in a new session', async t => {
  const { store } = await startWorker(t, { readers: 2 })
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)
  let failed = 0
  for (let n = 0; n < 30; n++) {
    for (let times = 0; times < 2; times++) {
      const [one] = await Promise.all([readOf(store, wide(n)), readOf(store, wide(n))])
      t.equal(one.status, 200)
    }
    const { status } = await readOf(store, `select length(repeat('x', 60000000)) as n`)
    if (status !== 200) failed += 1
  }
  t.equal(failed, 0)
  // By itself it is too much.
  const { status, body } = await readOf(store, `select length(repeat('x', 540000000))`)
  t.strictSame([status, body.sqlstate], [400, '53200'])
})
