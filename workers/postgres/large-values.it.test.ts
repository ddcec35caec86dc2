import { readFileSync } from 'node:fs'
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

const MIB = 1024 * 1024
/** Beyond what Node had before; several times the bound of a message. */
const GROWTH_MIB = 128

const residentMiB = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024

/** How much larger this process was while `work` ran than before. */
async function growthMiB(work: () => Promise<unknown>): Promise<number> {
  const before = residentMiB()
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, residentMiB())
  }, 1)
  try {
    await work()
  } finally {
    clearInterval(watch)
  }
  return Math.max(peak, residentMiB()) - before
}

async function started(t: Test) {
  // A busy machine takes seconds for some of these; what time does to a write is tested elsewhere.
  const patient = { writeTimeoutMs: 60_000, writePatienceMs: 60_000, readTimeoutMs: 60_000 }
  const worker = await startWorker(t, patient, { backendMemoryMiB: 1024 })
  await worker.store.beginTerm(1)
  await worker.store.execute([ddl('create table a (id int primary key, t text)')], 1)
  return worker
}

/** Each arrives as one message, and none is compressed on its way. */
const LARGE = [
  `select repeat('x', 150000000)`,
  `select 1, repeat('é', 60000000), 2`,
  `select convert_to(repeat('b', 60000000), 'UTF8')`,
  `select array_fill(123456789::int8, array[10000000])`,
  `select json_agg(repeat('j', 1000)) from generate_series(1, 100000)`,
  // The error quotes it.
  `select repeat('n', 150000000)::int`,
  `select repeat('d', 150000000)::date`
]

t.test('a value far beyond the limits takes no memory of the worker, read or written', async t => {
  const { store } = await started(t)
  for (const [i, sql] of LARGE.entries()) {
    const isError = /::(int|date)$/.test(sql)
    const read = await growthMiB(async () => {
      const [{ status, body }, small] = await Promise.all([
        readOf(store, sql),
        readOf(store, 'select 1 as one')
      ])
      t.strictSame(
        [status, body.code],
        isError ? [400, 'CONVOY_SQL'] : [413, 'CONVOY_RESULT_TOO_LARGE'],
        sql
      )
      t.strictSame(small.body.rows, [{ one: 1 }])
    })
    const write = await growthMiB(async () => {
      const batch = [
        command([`insert into a values (${2 * i})`]),
        command([sql]),
        command([`insert into a values (${2 * i + 1})`])
      ]
      const entries = (await store.execute(batch, 1)).map(entryOf)
      t.strictSame(
        entries.map(({ status }) => status),
        [200, isError ? 400 : 413, 200],
        sql
      )
      const { code, message } = resultOf(entries[1])
      t.equal(code, isError ? 'CONVOY_SQL' : 'CONVOY_ENTRY_TOO_LARGE')
      t.ok(message.length < 20_000)
    })
    t.comment(`${sql}: read ${read.toFixed(0)} MiB, written ${write.toFixed(0)} MiB`)
    t.ok(read < GROWTH_MIB, `${read.toFixed(0)} MiB`)
    t.ok(write < GROWTH_MIB, `${write.toFixed(0)} MiB`)
  }
  t.strictSame(await rowsOf(store, 'select count(*)::int4 as n from a'), [{ n: 2 * LARGE.length }])
})

t.test('nor does one that is returned, or captured as a change', async t => {
  const { store } = await started(t)
  const large = `repeat('x', 100000000)`
  const statements = [
    `insert into a values (1, 'a') returning ${large}`,
    `insert into a values (1, ${large})`,
    // Escaped as JSON it is six times as long.
    `insert into a values (1, repeat(chr(1), 7500000))`,
    `insert into a select i, repeat('x', 3000000) from generate_series(1, 30) i`
  ]
  for (const sql of statements) {
    const growth = await growthMiB(async () => {
      const batch = [command([sql]), command([`insert into a values (1)`, 'delete from a'])]
      const entries = (await store.execute(batch, 1)).map(entryOf)
      t.strictSame(
        entries.map(({ status }) => status),
        [413, 200],
        `${sql}: ${JSON.stringify(resultOf(entries[0]))}`
      )
      t.equal(resultOf(entries[0]).code, 'CONVOY_ENTRY_TOO_LARGE')
    })
    t.comment(`${sql}: ${growth.toFixed(0)} MiB`)
    t.ok(growth < GROWTH_MIB, `${growth.toFixed(0)} MiB`)
  }
  t.strictSame(await rowsOf(store, 'select * from a'), [])
})

t.test('what the limits allow passes, also in characters of several bytes', async t => {
  const { store } = await started(t)
  const most = 7.9 * MIB
  for (const [letter, bytes] of [
    ['x', 1],
    ['é', 2],
    ['漢', 3],
    ['😀', 4]
  ] as const) {
    const length = Math.floor(most / bytes)
    const sql = `select repeat('${letter}', ${length}) as v`
    const { status, body } = await readOf(store, sql)
    t.equal(status, 200)
    t.equal(body.rows[0]?.['v'], letter.repeat(length))
    const beyond = await readOf(
      store,
      `select repeat('${letter}', ${Math.ceil((8.01 * MIB) / bytes)})`
    )
    t.equal(beyond.status, 413, letter)
  }
})
