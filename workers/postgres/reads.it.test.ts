import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  openWorker,
  readOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import type { Entry } from '../entry.ts'

t.test('reads', async t => {
  const limits = { readTimeoutMs: 500, maxReadRows: 1_000, maxReadBytes: 100_000 }
  const { store } = await startWorker(t, limits)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)

  await t.test('tell the index that their snapshot has applied', async t => {
    const [entry] = (await store.execute([command(["insert into a values (1, 'x')"])], 1)).map(
      entryOf
    )
    const { body } = await readOf(store, 'select * from a where id = $1', ['1'])
    t.strictSame(body, {
      index: (entry as Entry).index,
      workerId: 'w1',
      fields: [
        { name: 'id', type: 'int4' },
        { name: 'v', type: 'text' }
      ],
      rows: [{ id: 1, v: 'x' }]
    })
    t.strictSame((await readOf(store, 'select array[1]::int[] as l')).body.fields, [
      { name: 'l', type: 'int4[]' }
    ])
  })

  await t.test('that fail harm none of those that run with them', async t => {
    const texts = Array.from({ length: 60 }, (_, i) => {
      if (i % 10 === 3) return 'select 1/0'
      if (i % 10 === 6) return 'select g from generate_series(1, 2000) g'
      return i % 10 === 9 ? 'select nonsense' : `select ${i} as n`
    })
    const reads = texts.map((sql, i) => ({ readId: `${i}`, sql, params: [], ttlMs: 1_000 }))
    const answers = await Promise.all(store.read(reads))
    for (const [i, { applied, answer }] of answers.entries()) {
      const expected = { 3: 400, 6: 413, 9: 400 }[i % 10] ?? 200
      t.equal(answer.status, expected, `read ${i}`)
      t.equal(applied, store.last.index)
      if (expected === 200) t.strictSame(JSON.parse(answer.body).rows, [{ n: i }])
    }
  })

  await t.test('are cut off when they take too long or return too much', async t => {
    const slow = await readOf(store, 'select count(*) from generate_series(1, 1e9)')
    t.match(slow, { status: 400, body: { code: 'CONVOY_SQL', sqlstate: '57014' } })
    const many = await readOf(store, 'select g from generate_series(1, 1000000) g')
    t.match(many, { status: 413, body: { code: 'CONVOY_RESULT_TOO_LARGE' } })
    const wide = await readOf(store, "select repeat('x', 200000) as x")
    t.match(wide, { status: 413, body: { code: 'CONVOY_RESULT_TOO_LARGE' } })
    t.equal((await readOf(store, 'select 1')).status, 200)
  })

  await t.test('follow a schema change, though their statements were prepared', async t => {
    const all = 'select * from a'
    for (let i = 0; i < 12; i++) await readOf(store, all)
    await store.execute([ddl('alter table a add column w int default 5')], 1)
    const answers = await Promise.all(Array.from({ length: 12 }, () => readOf(store, all)))
    for (const { body } of answers) t.strictSame(body.rows, [{ id: 1, v: 'x', w: 5 }])
  })

  await t.test('see a state of the log, never the middle of a batch', async t => {
    let writing = true
    const writes = (async () => {
      for (let i = 0; i < 60; i++) {
        const batch = Array.from({ length: 20 }, (_, j) =>
          command([`insert into a values (${100 + 20 * i + j})`])
        )
        await store.execute(batch, 1)
      }
      writing = false
    })()
    const first = (await readOf(store, 'select count(*)::int4 as n from a')).body
    while (writing) {
      const { body } = await readOf(store, 'select count(*)::int4 as n from a')
      const grown = Number(body.rows[0]?.n) - Number(first.rows[0]?.n)
      t.equal(grown, body.index - first.index)
      await sleep(5)
    }
    await writes
  })
})

t.test('the log lets go of what its limits allow', async t => {
  const { store } = await startWorker(t, { logEntriesMax: 10, resultsKeepMs: 0 })
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key)')], 1)
  const inserts = Array.from({ length: 40 }, (_, i) => command([`insert into a values (${i})`]))
  await store.execute(inserts, 1)
  const all = await store.entriesAfter(0, 1e9)
  if (all === 'pruned') throw new Error('pruned')
  await sleep(5)
  const pruned = store.prune(20)
  t.equal(store.prune(20), pruned, 'who asks meanwhile waits for the same end')
  await pruned
  t.equal(await store.entriesAfter(19, 1e9), 'pruned')
  const kept = await store.entriesAfter(20, 1e9)
  if (kept === 'pruned') throw new Error('pruned')
  t.strictSame(kept.entries, all.entries.slice(20))
  const last20 = all.entries[19]
  t.strictSame(kept.prev, { index: 20, term: 1, checksum: last20?.checksum })
  t.equal(await store.checksumAt(20), last20?.checksum)
  t.equal(await store.checksumAt(19), undefined)
  await store.prune(store.last.index)
  t.equal(await store.checksumAt(store.last.index - 11), undefined)
  t.equal(await store.checksumAt(store.last.index), store.last.checksum)
  t.equal(await store.checksumAt(store.last.index + 1), undefined)
  const few = await store.entriesAfter(store.last.index - 5, 300)
  if (few === 'pruned') throw new Error('pruned')
  t.equal(few.entries.length, 1)
})

t.test('a request is remembered for its time, counted by no wall clock', async t => {
  const keepMs = 1_500
  const limits = { logEntriesMax: 1, resultsKeepMs: keepMs, logKeepMs: keepMs }
  const { store, server, dir } = await startWorker(t, limits)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key)')], 1)
  const [done] = await store.execute(
    [command(['insert into a values (1)'], { requestId: 'once' })],
    1
  )
  await store.execute([command(['insert into a values (2)'])], 1)
  const found = async (of: typeof store) => (await of.outcome('once'))?.index
  const { index } = entryOf(done)
  await store.prune(store.last.index)
  t.equal(await found(store), index, 'it has just been committed')
  // As if it were two hours later: nothing here holds a wall clock's time.
  const columns = `select count(*) from information_schema.columns
    where table_schema = 'convoy' and data_type ~ 'time' and table_name in ('log', 'mark', 'pruned')`
  t.equal(await below(server, columns), '0')

  await sleep(keepMs / 2)
  await store.prune(store.last.index)
  await store[Symbol.asyncDispose]()
  await server.stop()
  await sleep(keepMs)
  const again = await openWorker(t, dir, limits)
  await again.store.prune(again.store.last.index)
  t.equal(await found(again.store), index, 'the time in which nobody ran does not count')
  await sleep(keepMs * 0.75)
  await again.store.prune(again.store.last.index)
  t.equal(await found(again.store), undefined, 'what was counted before the restart does')
  t.equal(await again.store.entriesAfter(0, 1e9), 'pruned')
  t.equal((await readOf(again.store, 'select 1')).body.index, 4, 'its end stays')
  t.equal(await again.store.checksumAt(4), again.store.last.checksum)
})
