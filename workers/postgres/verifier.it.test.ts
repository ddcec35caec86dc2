/**
 * Parts of a verification on real databases: checksums are those of the index that was
 * marked, whatever is written meanwhile; nobody who writes waits for them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  type Pair,
  partOf,
  startPair,
  startWorker,
  type TestWorker
} from '../../testing/fixtures/postgres.ts'
import type { Mark, Part, Range, Report } from '../../wire/verify.ts'
import { rowsText } from './comparison.ts'

const SUM = `select sum from (${rowsText('a')}) s`

type Done = Extract<Report, { kind: 'done' }>

function done(report: Report): Done {
  if (report.kind !== 'done') throw new Error(JSON.stringify(report))
  return report
}

const write = (sql: string) => command([sql])
const range = (table: string, more: Partial<Range> = {}): Part => {
  return { kind: 'rows', ranges: [{ table, after: null, rows: 1_000_000, ...more }] }
}
const marked = (part: Part, more: Partial<Mark> = {}) => {
  const mark: Mark = { id: 'm', replyTo: 'q', askedAtMs: Date.now(), part, ...more }
  return command([{ kind: 'verify', sql: JSON.stringify(mark) }])
}

function reported({ store }: TestWorker): Promise<Report> {
  const { promise, resolve } = Promise.withResolvers<Report>()
  store.onReport((_to, report) => report.kind !== 'working' && resolve(report))
  return promise
}

async function filled(pair: Pair, rows: number): Promise<void> {
  await pair.run(ddl('create table a (k text, n int, v text, primary key (k, n))'))
  const sql = `insert into a select 'k' || n % 7, n, repeat(md5(n::text), 20) from generate_series(1, ${rows}) n`
  await pair.run(write(sql))
}

t.test('a checksum is that of the marked index, whatever is written behind it', async t => {
  const pair = await startPair(t)
  await filled(pair, 2_000)
  for (let i = 0; i < 10; i++) {
    await pair.run(write(`update a set v = v || 'x' where n % 10 = ${i}`))
    const expected = await below(pair.master.server, SUM)
    const heard = [reported(pair.master), reported(pair.replica)]
    const batch = [
      marked(range('a'), { id: `m${i}` }),
      write(`update a set v = 'later' where n % 10 = ${(i + 3) % 10}`),
      write(`delete from a where n % 500 = ${i}`)
    ]
    const entries = (await pair.master.store.execute(batch, 1)).map(entryOf)
    await pair.replica.store.apply(entries, 1)
    for (const report of await Promise.all(heard)) {
      t.equal(done(report).items[0]?.sum?.split(':')[0], expected, `${i}`)
    }
    t.not(await below(pair.master.server, SUM), expected, 'the rows are others by now')
  }
})

t.test('ranges of the key together are the whole table', async t => {
  const pair = await startPair(t)
  await filled(pair, 1_000)
  const whole = done((await partOf(pair, range('a'))).master).items[0]
  const sums = [0n, 0n]
  let rows = 0
  let ranges = 0
  for (let after: Range['after'] = null; ; ranges++) {
    const { master, replica } = await partOf(pair, range('a', { after, rows: 90 }))
    t.strictSame(done(master).ends, done(replica).ends)
    const [item] = done(master).items
    rows += Number(item?.rows)
    for (const [i, part] of (item?.sum ?? '').split(':').entries()) {
      sums[i] = (sums[i] ?? 0n) + BigInt(part)
    }
    after = done(master).ends['a'] ?? null
    if (after === null) break
  }
  t.equal(ranges, 11)
  t.equal(rows, 1_000)
  t.equal(sums.join(':'), whole?.sum)
})

t.test('a row that is changed, missing or added shows in its range', async t => {
  const pair = await startPair(t)
  await filled(pair, 1_000)
  const differs = async () => {
    const { master, replica } = await partOf(pair, range('a'))
    return done(master).items[0]?.sum !== done(replica).items[0]?.sum
  }
  t.notOk(await differs())
  const past = 'set session_replication_role = replica;'
  await below(pair.replica.server, `${past} update a set v = 'x' where n = 500`)
  t.ok(await differs())
  await below(pair.replica.server, `${past} delete from a where n = 500`)
  t.ok(await differs())
  await below(pair.master.server, `${past} delete from a where n = 500`)
  t.notOk(await differs())
  await below(pair.master.server, `${past} insert into a values ('zz', 1, '')`)
  t.ok(await differs())
})

t.test('a schema change does not wait for a part, which is void then', async t => {
  const worker = await startWorker(t)
  const { store, server } = worker
  await store.beginTerm(1)
  await store.execute([ddl('create table a (n int primary key, v text)')], 1)
  // Row text that takes its time: some 3 s in all.
  const fill = "insert into a select n, repeat('x', 100000) from generate_series(1, 1000) n"
  await below(server, `set session_replication_role = replica; ${fill}`)
  const heard = reported(worker)
  await store.execute([marked(range('a'))], 1)
  await sleep(50)
  const beganMs = performance.now()
  const [altered] = await store.execute([ddl('alter table a add column w int')], 1)
  t.equal(entryOf(altered).status, 200)
  const report = await heard
  // On a slow machine too: without making way the change waits for the end of the part.
  t.match(report, { kind: 'problem', problem: 'changed' })
  t.ok(performance.now() - beganMs < 2_500, `${performance.now() - beganMs} ms`)
  const again = reported(worker)
  await store.execute([marked(range('a', { rows: 10 }))], 1)
  t.equal(done(await again).items[0]?.rows, '10')
})

t.test('more than a worker can hold is refused, and what is old is passed over', async t => {
  const worker = await startWorker(t)
  const { store, server } = worker
  await store.beginTerm(1)
  await store.execute([ddl('create table a (n int primary key, v text)')], 1)
  const fill = "insert into a select n, repeat('x', 100000) from generate_series(1, 1000) n"
  await below(server, `set session_replication_role = replica; ${fill}`)
  const heard: Report[] = []
  store.onReport((_to, report) => report.kind !== 'working' && heard.push(report))
  const old = marked(range('a'), { id: 'old', askedAtMs: Date.now() - 3_600_000 })
  const ids = ['1', '2', '3', '4', '5']
  await store.execute([old, ...ids.map(id => marked(range('a'), { id }))], 1)
  for (let waited = 0; heard.length < 5 && waited < 300; waited++) await sleep(100)
  t.strictSame(heard.map(({ id }) => id).sort(), ids)
  const busy = heard.filter(report => report.kind === 'problem' && report.problem === 'busy')
  t.strictSame(
    busy.map(({ id }) => id),
    ['4', '5']
  )
  // Nothing is left that keeps dead rows.
  const held = `select count(*) from pg_stat_activity where usename = 'convoy_apply' and backend_xmin is not null`
  t.equal(await below(server, held), '0')
})
