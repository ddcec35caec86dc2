/**
 * When a statement of Convoy's own fails in a transaction that ran commands: it is the end of the
 * command that brings it about, and of no other; where nobody's command does, of the worker.
 */
import t from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  resultOf,
  rowsOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { StoreLostError } from '../store.ts'

t.test('a command whose changes cannot be appended fails alone', async t => {
  const { store, server } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)
  const change = (sql: string) => below(server, `alter table convoy.log ${sql}`)
  await change("add constraint poison check (changes not like '%poison%')")
  let id = 0
  const insert = (v: string) => command([`insert into a values (${++id}, '${v}')`])
  for (let i = 0; i < 3; i++) {
    const batch = [insert('x'), insert('poison'), insert('y'), insert('poison'), insert('z')]
    const entries = (await store.execute(batch, 1)).map(entryOf)
    t.strictSame(
      entries.map(({ status }) => status),
      [200, 400, 200, 400, 200]
    )
    t.match(resultOf(entries[1]), { code: 'CONVOY_SQL', sqlstate: '23514' })
  }
  t.strictSame(await rowsOf(store, 'select count(*) from a'), [{ count: '9' }])

  await change('add constraint never check (index < 0) not valid')
  await t.rejects(
    store.execute([insert('x')], 1),
    StoreLostError,
    'it is nobody who brings it about'
  )
})

t.test('a write of many large statements, or many large writes, fill no memory', async t => {
  const maxEntryBytes = 100_000
  const { store } = await startWorker(t, { maxEntryBytes })
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)
  let id = 0
  const large = () => `insert into a values (${++id}, repeat('x', 80000))`
  const many = command(Array.from({ length: 30 }, large))
  const results = command(Array.from({ length: 30 }, () => "select repeat('x', 80000) as v"))
  const small = () => command([`insert into a values (${++id}, 'y')`])
  const both = (await store.execute([small(), many, small(), results, small()], 1)).map(entryOf)
  t.strictSame(
    both.map(({ status }) => status),
    [200, 413, 200, 413, 200]
  )
  const batch = Array.from({ length: 30 }, () => command([large()]))
  const entries = (await store.execute(batch, 1)).map(entryOf)
  t.ok(
    entries.every(({ status }) => status === 200),
    'what is too much together is done one by one'
  )
})
