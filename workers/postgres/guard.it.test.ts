import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  rowsOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import type { WriteCommand } from '../../wire/requests.ts'
import { processState } from './backends.ts'
import { processesIn } from './processes.ts'
import { dataDirOf } from './server.ts'

const LIMIT_MS = 800
/** Half a second of grace, and what a loaded machine needs. */
const FREED_MS = LIMIT_MS + 3_500
const DEADLINE_MS = 15_000
/** For whoever waits beside a write that cannot be interrupted, and what a busy machine may add. */
const PROMISED_MS = 1_500
const SLACK_MS = 1_500

/** Functions that look for no request to cancel, each in a way of its own. */
const ENDLESS = [
  `select length(translate(repeat('a', 3000000), repeat('b', 1000000), ''))`,
  `select length(ltrim(repeat('a', 1000000) || 'b', repeat('c', 1000000) || 'a'))`,
  `select length(rtrim('b' || repeat('a', 1000000), repeat('c', 1000000) || 'a'))`,
  `select length(btrim(repeat('é', 1000000), repeat('ü', 1000000) || 'é'))`,
  `select position((repeat('a', 3000000) || 'b')::bytea in repeat('a', 9000000)::bytea)`,
  `select array_fill(1, array[400000]) && array_fill(2, array[400000])`,
  `select length(normalize(repeat(U&'\\0061\\0323\\0307', 10000) || repeat(U&'\\0323\\0307', 600000), NFC))`,
  `select (select jsonb_agg(i) from generate_series(1, 60000) i) @> (select jsonb_agg(i order by -i) from generate_series(1, 60000) i)`,
  `select jsonb_array_length((select jsonb_agg(i::text) from generate_series(1, 60000) i) - (select array_agg((-i)::text) from generate_series(1, 60000) i))`
]

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const beganMs = performance.now()
  while (!(await holds())) {
    if (performance.now() - beganMs > DEADLINE_MS) throw new Error(`${what} did not happen`)
    await sleep(20)
  }
}

const stoppedIn = async (dir: string) =>
  (await processesIn(dataDirOf(dir))).filter(pid => processState(pid)?.state === 'T')

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0

/** Latencies of what is done over and over while `during` runs. */
async function latencies(
  t: Test,
  what: { name: string; during: Promise<unknown>; ask: () => Promise<unknown> }
): Promise<number> {
  const took: number[] = []
  let over = false
  const end = () => {
    over = true
  }
  what.during.then(end, end)
  while (!over) {
    const beganMs = performance.now()
    await what.ask()
    took.push(performance.now() - beganMs)
    await sleep(2)
  }
  const sorted = took.toSorted((a, b) => a - b)
  const [p50, p99, worst] = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? 0]
  t.comment(
    `${what.name}: ${took.length}, p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} worst ${worst.toFixed(0)} ms`
  )
  return worst
}

t.test('a read that cannot be interrupted is answered, and its slot is free again', async t => {
  const { dir, server, store } = await startWorker(t, { readTimeoutMs: LIMIT_MS, readers: 2 })
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id serial primary key)')], 1)
  for (const sql of ENDLESS) {
    const beganMs = performance.now()
    const [{ status, body }, small] = await Promise.all([
      readOf(store, sql),
      sleep(20).then(() => readOf(store, 'select 1 as one'))
    ])
    const ms = performance.now() - beganMs
    t.strictSame(
      [status, body.sqlstate],
      [400, '57014'],
      `${sql}: ${JSON.stringify(body)}`.slice(0, 300)
    )
    t.ok(ms < FREED_MS, `${ms.toFixed(0)} ms`)
    t.strictSame(small.body.rows, [{ one: 1 }])
    t.ok((await stoppedIn(dir)).length <= 5)
    t.equal((await store.execute([command(['insert into a default values'])], 1)).length, 1)
  }
  t.equal(server.isRunning, true)
  t.strictSame(await rowsOf(store, 'select count(*)::int4 as n from a'), [{ n: ENDLESS.length }])
})

t.test(
  'others do not notice a read that is frozen, and a schema change is not held up',
  async t => {
    const { dir, store } = await startWorker(t, { readTimeoutMs: LIMIT_MS })
    await store.beginTerm(1)
    await store.execute([ddl('create table a (id serial primary key, t text)')], 1)
    const insert = () => store.execute([command([`insert into a (t) values ('x')`])], 1)
    await insert()
    await latencies(t, { name: 'alone', during: sleep(1_000), ask: insert })
    const endless = `select count(*) from a where length(translate(repeat('a', 3000000), repeat('b', 1000000), t)) > 0`
    const reading = readOf(store, endless)
    await latencies(t, { name: 'beside it', during: reading, ask: insert })
    t.equal((await reading).body.sqlstate, '57014')
    await until('one to stand still', async () => (await stoppedIn(dir)).length === 1)
    await latencies(t, { name: 'while it is frozen', during: sleep(1_000), ask: insert })
    const [altered] = await Promise.all([
      store.execute([ddl('alter table a add column u text')], 1),
      latencies(t, {
        name: 'reads during the restart',
        during: until('the end of the frozen', async () => (await stoppedIn(dir)).length === 0),
        ask: () => readOf(store, 'select count(*) from a')
      })
    ])
    t.equal(altered.map(entryOf)[0]?.status, 200)
    const [last] = (await store.execute([command([`insert into a (t) values ('x')`])], 1)).map(
      entryOf
    )
    t.equal(last?.index, store.last.index)
  }
)

t.test(
  'a write that cannot be interrupted is refused for good, and the others are done',
  async t => {
    const { server, store } = await startWorker(t, { writeTimeoutMs: LIMIT_MS })
    await store.beginTerm(1)
    await store.execute([ddl('create table a (id int primary key)')], 1)
    const { pid } = server
    const took: number[] = []
    let id = 0
    for (const sql of ENDLESS) {
      const innocent = () => command([`insert into a values (${++id})`])
      const harmful = command([`insert into a values (-1)`, sql])
      const batch = [innocent(), innocent(), harmful, innocent()]
      const beganMs = performance.now()
      const known = new Set(batch)
      const isExpired = (asked: WriteCommand) => !known.has(asked)
      const bystanders = { othersWait: () => false, isExpired }
      const entries = (await store.execute(batch, 1, bystanders)).map(entryOf)
      took.push(performance.now() - beganMs)
      t.comment(`${took.at(-1)?.toFixed(0)} ms`)
      t.strictSame(
        entries.map(({ status }) => status),
        [200, 200, 422, 200],
        sql
      )
      t.equal(resultOf(entries[2]).code, 'CONVOY_REQUEST_HARMFUL')
      const [again] = await store.execute([{ ...harmful, mayRepeat: true }], 1)
      t.match(again, { kind: 'repeat', status: 422 })
    }
    const sorted = took.toSorted((a, b) => a - b)
    t.ok(quantile(sorted, 0.5) < PROMISED_MS, 'within the time that is promised')
    t.ok((sorted.at(-1) ?? 0) < PROMISED_MS + SLACK_MS, 'the slowest too')
    t.equal(server.pid, pid)
    t.strictSame(await rowsOf(store, 'select count(*)::int4 as n, min(id) as low from a'), [
      { n: id, low: 1 }
    ])
    const log = await store.entriesAfter(0, 1e9)
    if (log === 'pruned') throw new Error('pruned')
    t.strictSame(
      log.entries.map(({ index }) => index),
      log.entries.map((_, i) => i + 1)
    )
  }
)

t.test('nothing is left of frozen processes when PostgreSQL is stopped', async t => {
  const { dir, server, store } = await startWorker(t, { readTimeoutMs: LIMIT_MS })
  const { status, body } = await readOf(store, ENDLESS[0] ?? '')
  t.strictSame([status, body.sqlstate], [400, '57014'])
  await until('one to stand still', async () => (await stoppedIn(dir)).length === 1)
  const beganMs = performance.now()
  await server.stop()
  t.ok(performance.now() - beganMs < 3_000)
  t.strictSame(await processesIn(dataDirOf(dir)), [])
})
