import t from 'tap'
import { command, ddl, entryOf, rowsOf, startPair } from '../../testing/fixtures/postgres.ts'
import { harmful } from './refusals.ts'

const insert = (requestId: string) =>
  command(['insert into a values (1)'], { requestId, mayRepeat: true })

t.test('a refused command is not executed, and keeps its refusal', async t => {
  const { master, replica, run, differing } = await startPair(t)
  await run(ddl('create table a (id int primary key)'))
  const refused = entryOf(await master.store.refuse(insert('bad'), harmful(), 1))
  await replica.store.apply([refused], 1)
  t.strictSame([refused.status, refused.changes, refused.requestId], [422, '[]', 'bad'])
  const [again] = await master.store.execute([insert('bad')], 1)
  t.match(again, { kind: 'repeat', index: refused.index, status: 422 })
  t.equal((await master.store.outcome('bad'))?.answer.status, 422)
  t.strictSame(await rowsOf(master.store, 'select id from a'), [])
  t.strictSame(await differing(), [])
})

t.test('an outcome that is there stands against a refusal', async t => {
  const { master, run } = await startPair(t)
  await run(ddl('create table a (id int primary key)'))
  const [entry] = await run(insert('good'))
  const refused = await master.store.refuse(insert('good'), harmful(), 1)
  t.match(refused, { kind: 'repeat', index: entry?.index, status: 200 })
})

t.test('a schema change can be refused', async t => {
  const { master } = await startPair(t)
  const refused = await master.store.refuse(ddl('create table b (id int)'), harmful(), 1)
  t.equal(entryOf(refused).status, 422)
  t.equal(entryOf((await master.store.execute([ddl('create table b (id int)')], 1))[0]).status, 400)
})

t.test('a command without statements is an entry that changes nothing', async t => {
  const { master, replica, run, differing } = await startPair(t)
  const [entry] = await run(command([], { requestId: 'begun x', commandHash: '' }))
  t.match(entry, { status: 200, changes: '[]', result: '[]' })
  const repeated = command([], { requestId: 'begun x', commandHash: '', mayRepeat: true })
  const [again] = await master.store.execute([repeated], 1)
  t.match(again, { kind: 'repeat', index: entry?.index, term: 1 })
  t.equal(replica.store.last.index, entry?.index)
  t.strictSame(await replica.store.begun(), ['begun x'], 'a later master finds it')
  t.strictSame(await differing(), [])
})
