import t from 'tap'
import { below, command, ddl, entryOf, rowsOf, startPair } from '../../testing/fixtures/postgres.ts'
import { checksumOf, type Entry } from '../entry.ts'
import { DivergedError } from '../store.ts'

const write = (...sql: string[]) => command(sql)

t.test('what a statement touched beyond its own rows is applied too', async t => {
  const { replica, run, differing } = await startPair(t)
  const entries = await run(
    ddl('create table a (id int primary key, n int unique, at timestamptz, r float)'),
    ddl(
      'create table b (id serial primary key, a int references a on delete cascade on update cascade)'
    ),
    ddl('create table c (b int references b on delete set null, id uuid primary key)'),
    ddl(
      'create table tree (id int primary key, up int references tree on update cascade on delete cascade)'
    ),
    ddl('create table s (id int primary key, w int, d int generated always as (w * 2) stored)'),
    ddl(`create table two (id int primary key, x int references a on delete set null on update set null,
      y int references a on delete cascade on update cascade)`),
    ddl('create view av as select id, n from a where n > 0'),
    write('insert into a select g, g, now(), random() from generate_series(1, 20) g'),
    write('insert into b (a) select g from generate_series(1, 20) g'),
    write('insert into c select g, gen_random_uuid() from generate_series(1, 20) g'),
    write('insert into tree values (1, null), (2, 1), (3, 2), (4, 1)'),
    write(
      'insert into two values (1, 16, 16), (2, 16, 1), (3, 1, 16), (4, 2, 2), (5, 2, 1), (6, 1, 2)'
    ),
    write('delete from a where id > 15'),
    write('update a set id = id + 1000 where id < 5'),
    write('update a set n = n + 100'),
    write('update tree set id = id + 10'),
    write('delete from tree where id = 12'),
    write(
      'insert into a values (6, 0, now(), 1), (99, 99, now(), 1) on conflict (id) do update set n = 500'
    ),
    write('insert into a values (6, 0) on conflict do nothing'),
    write(
      'with gone as (delete from a where id = 7 returning *) insert into a select id + 700, n + 700, at, r from gone'
    ),
    write(
      'with x as (update a set r = 0 where id = 8 returning *), y as (delete from a where id = 9) insert into a (id) values (5000)'
    ),
    write(`merge into a using (values (6, 1), (10, 2), (11, 3), (777, 4)) v (id, k) on a.id = v.id
      when matched and v.k = 1 then delete when matched then update set n = v.k * 10000
      when not matched then insert (id, n) values (v.id, v.k)`),
    write('insert into av values (6000, 6000)'),
    write('insert into s (id, w) values (1, 5)', 'update s set w = 6', 'update s set id = 2')
  )
  t.strictSame(
    entries.filter(entry => entry.status !== 200),
    []
  )
  t.strictSame(await differing(), [])
  t.strictSame(await rowsOf(replica.store, 'select * from s'), [{ id: 2, w: 6, d: 12 }])
  t.strictSame(await rowsOf(replica.store, 'select id, up from tree order by id'), [
    { id: 11, up: null },
    { id: 14, up: 11 }
  ])
})

t.test('many changes of the same rows in one batch come out as their net effect', async t => {
  const { run, differing } = await startPair(t)
  await run(
    ddl('create table k (id numeric primary key, v text)'),
    ddl('create table pos (id int primary key, p int unique)')
  )
  await run(
    write("insert into k values (1.0, 'a'), (2, 'b')"),
    write("update k set v = 'c'"),
    write('delete from k where id = 2'),
    write("insert into k values (2, 'd')"),
    write("insert into k values (3, 'e')"),
    write('delete from k where id = 3'),
    write('insert into pos values (1, 1), (2, 2)'),
    write('update pos set id = id + 1'),
    write('update pos set p = p + 1'),
    write('update pos set id = 5 - id, p = 5 - p'),
    write('delete from pos where id = 3'),
    write('insert into pos values (3, 2)')
  )
  t.strictSame(await differing(), [])
  await run(
    write('update k set id = 1.00 where id = 1'),
    write("update k set v = 'z' where id = 1")
  )
  await run(write('update k set id = 1.000 where id = 1'), write('delete from k where id = 1'))
  t.strictSame(await differing(), [])
})

t.test('rows move between partitions', async t => {
  const { run, differing } = await startPair(t)
  const entries = await run(
    ddl('create table m (id int, r text, primary key (id, r)) partition by list (r)'),
    ddl("create table m_x partition of m for values in ('x')"),
    ddl("create table m_y partition of m for values in ('y')"),
    write("insert into m values (1, 'x'), (2, 'x'), (3, 'y')"),
    write("update m set r = 'y' where id = 1"),
    write("insert into m_x values (9, 'x')"),
    write('update m_x set id = 10 where id = 9'),
    write('update m set id = id + 100'),
    write('delete from m_y where id = 103'),
    write('delete from m where id = 102'),
    command([{ sql: 'truncate m_x', kind: 'truncate' }])
  )
  t.strictSame(
    entries.filter(entry => entry.status !== 200),
    []
  )
  t.strictSame(await differing(), [])
})

t.test('names and texts that need quoting', async t => {
  const { run, differing } = await startPair(t)
  const entries = await run(
    ddl(
      'create table "Ta ""b" ("r" int, "%1$s" text, "$f$" int, "x y" text, primary key ("%1$s", "$f$"))'
    ),
    write(
      `insert into "Ta ""b" values (1, 'a%s', 2, 'q''"'), (2, 'null', 3, null), (3, '', 4, '')`
    ),
    write(`update "Ta ""b" set "$f$" = 9, "x y" = '(,)'`),
    write(`delete from "Ta ""b" where "%1$s" = ''`),
    ddl('create sequence "Se""q"'),
    write(`select nextval('"Se""q"')`)
  )
  t.strictSame(
    entries.filter(entry => entry.status !== 200),
    []
  )
  t.strictSame(await differing(), [])
})

t.test(
  'a replica that does not hold the rows says that it diverged, and keeps what it has',
  async t => {
    const { master, replica, run } = await startPair(t)
    await run(
      ddl('create table a (id int primary key, v int)'),
      write('insert into a values (1, 1), (2, 2)')
    )
    const forged = (changes: object[]): Entry => {
      const { index, term, checksum } = replica.store.last
      const outcome = { status: 200, changes: JSON.stringify(changes), result: '[]' }
      const entry = { index: index + 1, term, requestId: 'f', commandHash: '', ...outcome }
      return { ...entry, checksum: checksumOf(checksum, entry) }
    }
    const { last } = replica.store
    const misfits = [
      [{ op: 'delete', table: 'a', keys: ['(7)'] }],
      [{ op: 'update', table: 'a', keys: [], rows: ['(7,1)'] }],
      [{ op: 'insert', table: 'a', rows: ['(1,1)'] }],
      [{ op: 'insert', table: 'nowhere', rows: ['(1,1)'] }],
      [{ op: 'insert', table: 'a', rows: ['(9,x)'] }],
      [{ op: 'sql', sql: 'alter table nowhere add column x int' }],
      [
        { op: 'insert', table: 'a', rows: ['(9,9)'] },
        { op: 'delete', table: 'a', keys: ['(8)'] }
      ]
    ]
    for (const changes of misfits) {
      await t.rejects(
        replica.store.apply([forged(changes)], 1),
        DivergedError,
        JSON.stringify(changes)
      )
    }
    const [next] = (await master.store.execute([write('insert into a values (3, 3)')], 1)).map(
      entryOf
    )
    if (next === undefined) throw new Error('no entry')
    await t.rejects(replica.store.apply([{ ...next, result: '[1]' }], 1), DivergedError)
    await t.rejects(replica.store.apply([{ ...next, index: 9 }], 1), DivergedError)
    t.strictSame(replica.store.last, last)
    await replica.store.apply([next], 1)
    t.strictSame(await rowsOf(replica.store, 'select id from a order by id'), [
      { id: 1 },
      { id: 2 },
      { id: 3 }
    ])
  }
)

t.test('a verify finds the table that differs', async t => {
  const { replica, run, differing } = await startPair(t)
  await run(ddl('create table a (id int primary key)'), ddl('create table b (id int primary key)'))
  t.strictSame(await differing(), [])
  await below(replica.server, 'set session_replication_role = replica; insert into b values (1)')
  t.strictSame(await differing(), ['b'])
})

t.test('what only the replica cannot do is tried again, and then it is given up', async t => {
  const { master, replica, run } = await startPair(t)
  await run(
    ddl('create table a (id int primary key, v int)'),
    write('insert into a values (1, 1), (2, 2)')
  )
  const change = async (sql: string) => entryOf((await master.store.execute([ddl(sql)], 1))[0])
  const { last } = replica.store
  const entry = await change('alter table a alter column v type text')
  // As after the loss of a file: 58P01, which ends a worker where its server is to blame.
  const moveFile = (by: number) =>
    below(
      replica.server,
      `set allow_system_table_mods = on;
       update pg_class set relfilenode = (relfilenode::int8 + ${by})::oid where relname = 'a'`
    )
  await moveFile(90_000)
  await t.rejects(replica.store.apply([entry], 1), DivergedError)
  await t.rejects(replica.store.apply([entry], 1), { message: /entries from 4 do not fit: 58P01/ })
  t.strictSame(replica.store.last, last)
  await moveFile(-90_000)
  await replica.store.apply([entry], 1)
  // Rows that the change does not take, on the replica alone.
  await below(replica.server, `set session_replication_role = replica; update a set v = 'x'`)
  const numbers = await change('alter table a alter column v type int using v::int')
  t.equal(numbers.status, 200)
  await t.rejects(replica.store.apply([numbers], 1), { message: /do not fit: 22P02/ })
})

t.test('a replica catches up with a long log, in pieces', async t => {
  const { master, replica, run, differing } = await startPair(t)
  await run(ddl('create table a (id serial primary key, v text)'))
  const inserts = () =>
    Array.from({ length: 500 }, (_, i) => write(`insert into a (v) values ('${i}')`))
  for (let i = 0; i < 5; i++) await master.store.execute(inserts(), 1)
  await master.store.execute([ddl('alter table a add column w int default 3'), ...inserts()], 1)
  while (replica.store.last.index < master.store.last.index) {
    const next = await master.store.entriesAfter(replica.store.last.index, 100_000)
    if (next === 'pruned') throw new Error('pruned')
    t.strictSame(next.prev, replica.store.last)
    await replica.store.apply(next.entries, 1)
  }
  t.strictSame(await differing(), [])
})
