/**
 * Errors that look like a broken server and are a statement's own: they are answers to whoever
 * sent the statement, and the outcome of a write like any other.
 */
import t from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  startPair,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { StoreLostError } from '../store.ts'

/** From PostgreSQL's regression tests and a search through its functions. */
const OWN_ERRORS: readonly (readonly [sqlstate: string, sql: string])[] = [
  ['XX000', "select (row('5')).f1::int"],
  ['58P01', 'select pg_tablespace_location(1)'],
  ['58P01', 'select pg_tablespace_location(4294967295)'],
  ['XX000', "select float8_avg('{1}')"],
  ['XX000', "select float4_accum('{1,2}', 1)"],
  ['XX000', "select interval_accum('{}', '1 day')"],
  ['XX000', "select int4_avg_accum('{1}', 1)"],
  ['XX000', "select array_in('{1}', 0, -1)"],
  ['XX000', "select enum_in('x', 0)"],
  ['XX000', 'select amvalidate(1)'],
  ['XX000', "select ts_parse(999999, 'x')"],
  ['XX000', "select ts_lexize(1::regdictionary, 'x')"],
  ['XX000', "select to_tsvector(1::regconfig, 'x')"],
  ['XX000', 'select pg_describe_object(1, 1, 1)'],
  ['XX000', 'select currval(1::regclass)'],
  ['XX000', 'select pg_sequence_last_value(1)'],
  ['XX000', 'select brin_summarize_new_values(1)'],
  ['39P01', 'select unique_key_recheck()'],
  ['54000', "select lpad('x', 1073741820)"],
  ['2201B', "select regexp_match('x', repeat('(', 100000))"]
]

t.test('such an error is the outcome of its write, and of no other', async t => {
  const { run, differing } = await startPair(t)
  await run(ddl('create table a (id int primary key)'))
  for (const [i, [sqlstate, sql]] of OWN_ERRORS.entries()) {
    const entries = await run(
      command([`insert into a values (${2 * i})`]),
      command([`insert into a values (-1)`, sql]),
      command([`insert into a values (${2 * i + 1})`])
    )
    t.strictSame(
      entries.map(({ status }) => status),
      [200, 400, 200],
      sql
    )
    t.match(resultOf(entries[1]), { code: 'CONVOY_SQL', sqlstate, statement: 1 }, sql)
    t.equal(entries[1]?.changes, '[]')
  }
  t.strictSame(await differing(), [])
})

t.test('such an error is the answer to its read, and to no other', async t => {
  const { store } = await startWorker(t)
  for (const [sqlstate, sql] of OWN_ERRORS) {
    const answers = await Promise.all([
      readOf(store, 'select 1'),
      readOf(store, sql),
      readOf(store, 'select 2')
    ])
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 400, 200],
      sql
    )
    t.match(answers[1], { body: { code: 'CONVOY_SQL', sqlstate } }, sql)
  }
})

t.test('reads of the catalog beside schema changes are answered', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  let changing = true
  const changes = (async () => {
    for (let i = 0; i < 40; i++) {
      const made = Array.from({ length: 4 }, (_, j) =>
        ddl(`create table c${j} (id serial primary key, v text unique)`)
      )
      const dropped = made.map((_, j) => ddl(`drop table c${j}`))
      for (const outcome of await store.execute([...made, ...dropped], 1)) {
        t.equal(entryOf(outcome).status, 200)
      }
    }
    changing = false
  })()
  const statuses = new Map<number, number>()
  const reader = async (sql: string) => {
    while (changing) {
      const { status } = await readOf(store, sql)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all([
    reader('select count(*) from pg_sequences where last_value is null'),
    reader('select max(length(indexdef)) from pg_indexes'),
    reader('select sum(pg_total_relation_size(oid)) from pg_class'),
    changes
  ])
  const [ok = 0, refused = 0] = [statuses.get(200), statuses.get(400)]
  t.equal(
    [...statuses.values()].reduce((sum, n) => sum + n, 0),
    ok + refused
  )
  // Those that meet a change are tried again; twice in a row is rare.
  t.ok(ok > 20 * refused, `${ok} answered, ${refused} refused`)
})

t.test('such an error is told to nobody by a server that does not answer any more', async t => {
  const { store, server } = await startWorker(t)
  await readOf(store, 'select 1')
  const keeper = "usename = 'convoy_apply' and query like '%convoy.memory%'"
  const pid = Number(await below(server, `select pid from pg_stat_activity where ${keeper}`))
  t.ok(pid > 1)
  process.kill(pid, 'SIGSTOP')
  try {
    await t.rejects(readOf(store, "select float8_avg('{1}')"), StoreLostError)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})
