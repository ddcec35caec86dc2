import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  command,
  ddl,
  entryOf,
  resultOf,
  rowsOf,
  startPair,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { checksumOf } from '../entry.ts'
import { TermRaisedError, WorkCancelledError } from '../store.ts'

const PEOPLE = ddl('create table people (id serial primary key, name text not null unique)')
const insert = (name: string | null, more = {}) =>
  command([{ sql: 'insert into people (name) values ($1) returning id', params: [name] }], more)

t.test('commands that fail in the middle of a batch leave nothing behind', async t => {
  const { master, run, differing } = await startPair(t)
  await run(PEOPLE)
  const entries = await run(
    insert('a'),
    insert(null),
    command([
      "insert into people (name) values ('half')",
      'insert into people (name) values (1/0)'
    ]),
    insert('a'),
    command(['select nonsense']),
    command(['selec']),
    insert('b')
  )
  t.strictSame(
    entries.map(entry => entry.status),
    [200, 409, 400, 409, 400, 400, 200]
  )
  t.match(resultOf(entries[1]), { code: 'CONVOY_CONSTRAINT', sqlstate: '23502' })
  t.match(resultOf(entries[2]), { code: 'CONVOY_SQL', sqlstate: '22012', statement: 1 })
  t.match(resultOf(entries[3]), { constraint: 'people_name_key', sqlstate: '23505' })
  t.match(resultOf(entries[5]), { sqlstate: '42601', position: 1 })
  t.ok(entries.every(entry => entry.status === 200 || entry.changes === '[]'))
  t.strictSame(await rowsOf(master.store, 'select name from people order by id'), [
    { name: 'a' },
    { name: 'b' }
  ])
  t.strictSame(await differing(), [])
})

t.test('entries follow each other by index and checksum', async t => {
  const { master, run } = await startPair(t)
  await run(PEOPLE, insert('a'), insert(null), insert('b'))
  const all = await master.store.entriesAfter(0, 1e9)
  if (all === 'pruned') throw new Error('pruned')
  let checksum = ''
  for (const [i, entry] of all.entries.entries()) {
    checksum = checksumOf(checksum, entry)
    t.equal(entry.index, i + 1)
    t.equal(entry.checksum, checksum)
  }
  t.equal(all.entries.length, 5)
})

t.test('a request id is executed once, however often it comes', async t => {
  const { master, run } = await startPair(t)
  await run(PEOPLE)
  const one = insert('ann', { requestId: 'x' })
  const [first, twin, other] = await master.store.execute(
    [one, one, { ...one, commandHash: 'another' }],
    1
  )
  const entry = entryOf(first)
  const repeat = { kind: 'repeat', index: entry.index, term: 1, status: 200, result: entry.result }
  t.strictSame(twin, repeat)
  t.match(other, { kind: 'refused', status: 422 })
  t.match(JSON.parse(other?.kind === 'refused' ? other.result : ''), {
    code: 'CONVOY_REQUEST_ID_REUSED'
  })
  const said = await master.store.execute([insert('bob'), { ...one, mayRepeat: true }], 1)
  t.strictSame(said[1], repeat, 'looked up')
  const unsaid = await master.store.execute([insert('cid'), one, insert('dan')], 1)
  t.strictSame(unsaid[1], repeat, 'found by the unique key')
  t.strictSame(await rowsOf(master.store, 'select count(*) from people'), [{ count: '4' }])
  t.equal(
    (await master.store.execute([insert('e', { requestId: 'é'.repeat(5000) })], 1))[0]?.kind,
    'entry'
  )
  t.match(await master.store.outcome('x'), { index: entry.index, answer: { status: 200 } })
  t.equal(await master.store.outcome('unknown'), undefined)
})

t.test('an unmet expectation undoes its command, and no other', async t => {
  const { master, run, differing } = await startPair(t)
  await run(PEOPLE, insert('a'))
  const rename = (from: string, to: string) =>
    command([
      { sql: 'insert into people (name) values ($1)', params: [`${from} was here`] },
      { sql: 'update people set name = $2 where name = $1', params: [from, to], expectRows: 1 }
    ])
  const batch = Array.from({ length: 20 }, (_, i) => [
    rename('nobody', `x${i}`),
    insert(`n${i}`),
    rename(`n${i}`, `m${i}`)
  ])
  const entries = await run(...batch.flat())
  t.strictSame(
    entries.map(entry => entry.status),
    batch.flatMap(() => [409, 200, 200])
  )
  t.strictSame(resultOf(entries[0]), {
    code: 'CONVOY_EXPECTATION_FAILED',
    message: 'statement 1 changed 0 rows, not 1',
    statement: 1,
    expected: 1,
    rowCount: 0
  })
  t.strictSame(await rowsOf(master.store, "select count(*) from people where name like 'm%'"), [
    { count: '20' }
  ])
  t.strictSame(await rowsOf(master.store, "select name from people where name like 'nobody%'"), [])
  t.strictSame(await differing(), [])
})

t.test('schema changes run in their order, between rows', async t => {
  const { run, differing } = await startPair(t)
  const entries = await run(
    PEOPLE,
    insert('a'),
    command([
      "insert into people (name) values ('b')",
      { sql: 'alter table people add column age int default 7', kind: 'ddl' },
      "insert into people (name, age) values ('c', 1)",
      { sql: 'alter table people drop column name', kind: 'ddl' },
      'update people set age = age + 1'
    ]),
    command(['insert into people (age) values (3)']),
    ddl('alter table people rename to folk'),
    ddl('alter table folk rename column id to number'),
    command(['update folk set number = number + 100']),
    command(['delete from folk where age = 3']),
    ddl("create type mood as enum ('sad')"),
    ddl('create table moods (m mood primary key)'),
    ddl("alter type mood add value 'glad'"),
    command(["insert into moods values ('glad')"]),
    ddl('alter table folk alter column age type text using age::text'),
    command(["insert into folk (age) values ('x')"]),
    ddl('create view ages as select age from folk'),
    ddl('create index on folk (age)'),
    ddl('drop view ages'),
    ddl('drop table moods')
  )
  t.strictSame(entries.filter(entry => entry.status !== 200).map(resultOf), [])
  t.strictSame(await differing(), [])
})

t.test('a table that cannot be replicated is refused, with the reason', async t => {
  const { master, run } = await startPair(t)
  const refused = async (sql: string) => {
    const [entry] = await run(ddl(sql))
    return `${entry?.status} ${resultOf(entry).sqlstate}`
  }
  await run(PEOPLE, insert('a'))
  t.equal(await refused('create table nokey (a int)'), '400 CV001')
  t.equal(await refused('create table nokey as select 1'), '400 CV001')
  t.equal(await refused('create unlogged table u (a int primary key)'), '400 CV002')
  t.equal(await refused('create table c (a int) inherits (people)'), '400 CV001')
  t.equal(await refused('create table c (primary key (id)) inherits (people)'), '400 CV002')
  t.equal(await refused('create table d (a int primary key deferrable)'), '400 CV002')
  t.equal(
    await refused('create table e (a int primary key references e on update cascade)'),
    '400 CV002'
  )
  t.equal(await refused('alter table people drop constraint people_pkey'), '400 CV001')
  t.equal(await refused('alter table people disable trigger convoy_insert'), '400 CV002')
  t.equal(await refused('alter table people add column at timestamptz default now()'), '400 CV003')
  t.equal(await refused('alter table people add column x float default random()'), '400 CV003')
  t.equal(await refused('alter table people add column s serial'), '400 CV003')
  t.equal(await refused('create materialized view m as select 1'), '400 CV002')
  t.equal(await refused('alter table people add column ok int default 7'), '200 undefined')
  t.equal(
    await refused('create table filled (a int primary key, at date default now())'),
    '200 undefined'
  )
  await run(insert('b'))
  t.strictSame(await rowsOf(master.store, 'select count(*) from people'), [{ count: '2' }])
})

t.test('truncating, clearing and sequences come out the same', async t => {
  const { master, replica, run, differing } = await startPair(t)
  await run(
    PEOPLE,
    ddl(
      'create table pets (id int generated always as identity primary key, owner int references people)'
    ),
    ddl('create table convoy_migrations (id int primary key)'),
    command(['insert into convoy_migrations values (1)']),
    insert('a'),
    insert(null),
    command(['insert into pets (owner) values (1)'])
  )
  const ids = 'select last_value from people_id_seq'
  const moved = await rowsOf(replica.store, ids)
  t.strictNotSame(moved, [{ last_value: '1' }], 'that of a failed insert too')
  t.strictSame(moved, await rowsOf(master.store, ids))
  await run(command([{ sql: 'truncate people restart identity cascade', kind: 'truncate' }]))
  t.strictSame(await rowsOf(replica.store, ids), [{ last_value: '1' }])
  const [back] = await run(insert('b'), command(["select setval('people_id_seq', 50)"]))
  t.strictSame(resultOf(back)[0].rows, [{ id: 1 }])
  t.strictSame(await rowsOf(replica.store, ids), [{ last_value: '50' }])
  const [cleared] = await run(command([{ kind: 'clear' }]))
  t.equal(cleared?.status, 200)
  t.strictSame(await rowsOf(replica.store, 'select * from people'), [])
  t.strictSame(await rowsOf(replica.store, 'select id from convoy_migrations'), [{ id: 1 }])
  t.strictSame(await differing(), [])
  // A promotion goes on where the log ends.
  await replica.store.beginTerm(2)
  const [first] = await replica.store.execute([insert('c')], 2)
  t.strictSame(resultOf(entryOf(first))[0].rows, [{ id: 1 }])
  t.strictSame(await rowsOf(master.store, 'select * from people'), [])
})

t.test('a deposed master writes nothing', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([PEOPLE], 1)
  const { last } = store
  await store.remember({ clusterId: 'c', term: 2, stateVersion: 7 })
  await t.rejects(store.execute([insert('a')], 1), TermRaisedError)
  const next = { index: last.index + 1, term: 1, requestId: 'z', commandHash: '', status: 200 }
  const entry = { ...next, changes: '[]', result: '[]' }
  const checksum = checksumOf(last.checksum, entry)
  await t.rejects(store.apply([{ ...entry, checksum }], 1), TermRaisedError)
  await t.rejects(store.beginTerm(2), TermRaisedError)
  t.strictSame(store.last, last)
  await store.remember({ clusterId: 'c', term: 1, stateVersion: 9 })
  t.strictSame(store.memory, { clusterId: 'c', term: 2, stateVersion: 7 })
  t.equal((await store.beginTerm(3)).index, last.index + 1)
  t.equal((await store.execute([insert('a')], 3))[0]?.kind, 'entry')
})

t.test('a command whose entry would be too large fails alone', async t => {
  const { run, differing } = await startPair(t, { maxEntryBytes: 200_000 })
  await run(ddl('create table big (id int primary key, v text)'))
  const fill = (id: number, bytes: number) =>
    command([{ sql: `insert into big values ($1, repeat('x', $2::int))`, params: [id, bytes] }])
  const returning = command([`select repeat('y', 1000) from generate_series(1, 1000)`])
  const many = command(['insert into big select g, null from generate_series(1000, 99999) g'])
  const entries = await run(fill(1, 10), fill(2, 199_990), returning, many, fill(3, 10))
  t.strictSame(
    entries.map(entry => entry.status),
    [200, 413, 413, 413, 200]
  )
  t.equal(resultOf(entries[1]).code, 'CONVOY_ENTRY_TOO_LARGE')
  t.strictSame(await differing(), [])
})

t.test('a value of 1 MiB and a statement of 10,000 rows', async t => {
  const { replica, run, differing } = await startPair(t)
  await run(ddl('create table big (id int primary key, v text)'))
  const value = 'é"\\,()\n'.repeat(131_072)
  const entries = await run(
    command([{ sql: 'insert into big values (0, $1)', params: [value] }]),
    command(["insert into big select g, 'row ' || g from generate_series(1, 10000) g"]),
    command(["update big set v = v || '!' where id > 0"])
  )
  t.strictSame(
    entries.map(entry => entry.status),
    [200, 200, 200]
  )
  t.strictSame(await rowsOf(replica.store, 'select v from big where id = 0'), [{ v: value }])
  t.strictSame(await differing(), [])
  await run(command(['update big set id = id + 1']), command(['delete from big where id > 5000']))
  t.strictSame(await differing(), [])
})

t.test('a statement that runs too long is cut off, alone', async t => {
  const { run } = await startPair(t, { writeTimeoutMs: 300 })
  const slow = command(['select count(*) from generate_series(1, 1e9)'])
  const entries = await run(PEOPLE, insert('a'), slow, insert('b'))
  t.strictSame(
    entries.map(entry => entry.status),
    [200, 200, 400, 200]
  )
  t.equal(resultOf(entries[2]).sqlstate, '57014')
})

t.test('cancel ends what runs, and leaves nothing of it', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([PEOPLE], 1)
  const { last } = store
  const slow = command(['select count(*) from generate_series(1, 1e9)'])
  const running = store.execute([insert('a'), slow, insert('b')], 1)
  const cancelled = t.rejects(running, WorkCancelledError)
  await sleep(200)
  await store.cancel()
  await cancelled
  t.strictSame(store.last, last)
  t.strictSame(await rowsOf(store, 'select * from people'), [])
  t.equal((await store.execute([insert('a')], 1))[0]?.kind, 'entry')
})

t.test('what is asked for while a batch runs waits for it, and both keep their log', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([PEOPLE], 1)
  const slow = 'insert into people (name) select count(*)::text from generate_series(1, 1000000)'
  const first = store.execute([command([slow])], 1)
  await sleep(50)
  const second = store.execute([insert('b')], 1)
  const indexes = [...(await first), ...(await second)].map(done => entryOf(done).index)
  t.strictSame(indexes, [3, 4])
  const found = await store.entriesAfter(2, 1e6)
  t.strictSame(found === 'pruned' ? [] : found.entries.map(entry => entry.index), [3, 4])
})
