/**
 * Answers that an orchestrator keeps, in a whole system: repeated reads are told from
 * what is kept, and what is told is never older than a replica's.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { type ReadOptions, read, write } from '../../testing/cluster/database.ts'
import { until } from '../../testing/wait.ts'

const WITHIN = { withinMs: 20_000 }
/** As workers and orchestrators have it by default. */
const MAX_AGE_MS = 1_100
const BY_ID = 'select * from kept where id = $1'

const cluster = await startCluster(t, { orchestrators: 2 })
const [url = '', otherUrl = ''] = cluster.orchestrators
await write(cluster, { sql: 'create table kept (id int primary key, v text)' })
await write(cluster, { sql: 'create table others (id int primary key)' })
await write(cluster, { sql: "insert into kept select n, 'old' from generate_series(1, 100) n" })

interface Figures {
  readonly hits: number
  readonly reads: number
  readonly bytes: number
}

async function figures(of = url): Promise<Figures> {
  const text = await (await fetch(`${of}/metrics`)).text()
  const values = (name: RegExp) =>
    text
      .split('\n')
      .filter(line => name.test(line))
      .map(line => Number(line.split(' ').at(-1)))
  const sum = (name: RegExp) => values(name).reduce((a, b) => a + b, 0)
  return {
    hits: sum(/^convoy_cache_reads_total\{outcome="hit"/),
    reads: sum(/^convoy_cache_reads_total\{/),
    bytes: sum(/^convoy_cache_bytes/)
  }
}

const readOf = (id: number, options: ReadOptions = {}, of = url) =>
  read({ url: of }, BY_ID, { params: [id], consistency: 'replica', ...options })

/** Reads until answers are kept. */
const warm = (id: number, of = url) =>
  until('a read to be told from what is kept', WITHIN, async () => {
    const before = await figures(of)
    for (let i = 0; i < 5; i++) await readOf(id, {}, of)
    return (await figures(of)).hits > before.hits ? true : undefined
  })

await t.test('a read that is repeated is told from what is kept', async t => {
  await warm(1)
  const before = await figures()
  for (let i = 0; i < 50; i++) t.strictSame((await readOf(1)).rows, [{ id: 1, v: 'old' }])
  const after = await figures()
  t.ok(after.hits - before.hits > 40, `${after.hits - before.hits} of 50`)
  t.ok(after.bytes > 0)
})

await t.test('reads that never come again are not', async t => {
  const before = await figures()
  for (let i = 0; i < 100; i++) await readOf(1_000 + i)
  t.strictSame({ ...(await figures()), reads: 0 }, { ...before, reads: 0 })
})

await t.test('a session sees its own write, whatever is kept', async t => {
  await warm(2)
  for (let n = 0; n < 30; n++) {
    const { index } = await write(cluster, {
      sql: 'update kept set v = $1 where id = 2',
      params: [String(n)]
    })
    for (let i = 0; i < 5; i++) {
      const answer = await readOf(2, { consistency: 'session', minIndex: index })
      t.strictSame(answer.rows, [{ id: 2, v: String(n) }])
      t.ok(answer.index >= index)
    }
  }
})

await t.test('a write to another table is seen by the index alone', async t => {
  await warm(3)
  const { index } = await write(cluster, { sql: 'insert into others values (1)' })
  const before = await figures()
  const answer = await until('a kept answer at a later index', WITHIN, async () => {
    const told = await readOf(3, { consistency: 'session', minIndex: index })
    return (await figures()).hits > before.hits ? told : undefined
  })
  t.ok(answer.index >= index)
  t.strictSame(answer.rows, [{ id: 3, v: 'old' }])
})

await t.test('both orchestrators see a write within the age that is promised', async t => {
  for (const [n, of] of [url, otherUrl, url, otherUrl].entries()) {
    await warm(4, of)
    await write(cluster, { sql: 'update kept set v = $1 where id = 4', params: [String(n)] })
    await sleep(MAX_AGE_MS) // it is the promise that is tested
    t.strictSame((await readOf(4, {}, of)).rows, [{ id: 4, v: String(n) }])
    t.strictSame((await readOf(4, {}, of)).rows, [{ id: 4, v: String(n) }])
  }
})

await t.test('a schema change shows', async t => {
  await warm(5)
  const { index } = await write(cluster, { sql: 'alter table kept add column w int default 7' })
  for (let i = 0; i < 20; i++) {
    const { rows } = await readOf(5, { consistency: 'session', minIndex: index })
    t.strictSame(rows, [{ id: 5, v: 'old', w: 7 }])
  }
  await warm(5)
})

await t.test('the time, and what else changes by itself, is asked for each time', async t => {
  const seen = new Set<unknown>()
  for (let i = 0; i < 30; i++) {
    const { rows } = await read({ url }, 'select clock_timestamp() as at', {
      consistency: 'replica'
    })
    seen.add(rows[0]?.['at'])
  }
  t.equal(seen.size, 30)
})

await t.test('a new master is heard, and nothing old is told', async t => {
  await warm(6)
  const { term } = await cluster.now()
  await cluster.kill('master')
  await cluster.untilTerm(term + 1)
  const { index } = await write(cluster, { sql: "update kept set v = 'new' where id = 6" })
  for (let i = 0; i < 20; i++) {
    const { rows } = await readOf(6, { consistency: 'session', minIndex: index })
    t.strictSame(rows, [{ id: 6, v: 'new', w: 7 }])
  }
  await warm(6)
  await cluster.healed()
})

await t.test('an emptied table is empty', async t => {
  await warm(7)
  const { index } = await write(cluster, { sql: 'truncate kept' })
  for (let i = 0; i < 10; i++) {
    t.strictSame((await readOf(7, { consistency: 'session', minIndex: index })).rows, [])
  }
})
