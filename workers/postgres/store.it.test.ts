import t from 'tap'
import type { Entry } from '../entry.ts'
import { command, ddl, entryOf, startWorker } from './testing.ts'

t.test('what the master executes, a replica applies', async t => {
  const [master, replica] = await Promise.all([startWorker(t), startWorker(t)])
  const entries: Entry[] = [await master.store.beginTerm(1)]
  const batch = [
    ddl(
      'create table people (id serial primary key, name text not null, at timestamptz default now())'
    ),
    command([{ sql: 'insert into people (name) values ($1) returning id, name', params: ['ann'] }]),
    command(['insert into people (name) values (null)']),
    command([
      "insert into people (name) values ('bob'), ('cid')",
      "update people set name = 'eve' where id = 1"
    ]),
    command(["delete from people where name = 'cid'"])
  ]
  const executed = await master.store.execute(batch, 1)
  entries.push(...executed.map(entryOf))
  for (const e of entries) t.comment(JSON.stringify(e))
  await replica.store.apply(entries, 1)
  t.strictSame(replica.store.last, master.store.last)
  const read = { readId: '1', sql: 'select * from people order by id', params: [], ttlMs: 1000 }
  const [[a], [b]] = await Promise.all([master.store.read([read]), replica.store.read([read])])
  t.comment(a?.answer.body)
  t.equal(a?.answer.status, 200)
  t.strictSame(a, b)
})
