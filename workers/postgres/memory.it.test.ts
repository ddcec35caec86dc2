import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  startPair,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { BACKEND_MEMORY_MIB } from './limits.ts'
import { processesIn } from './processes.ts'
import { dataDirOf } from './server.ts'

const MIB = 1024 * 1024
/** Shared buffers and the like, which each process counts as its own. */
const SHARED_MIB = 60

const field = (pid: number | 'self', name: string): number => {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024
  } catch {
    return 0 // it has ended
  }
}

/** Each takes more than the bound in one process, and none is stopped by work_mem. */
const GREEDY = [
  `select length(repeat('x', 540000000))`,
  `select length(string_agg(repeat('x', 1000), '')) from generate_series(1, 540000)`,
  `select array_length(array_fill(1::int8, array[60000000]), 1)`,
  `select length(jsonb_agg(repeat('y', 1000))::text) from generate_series(1, 400000)`,
  `select length(json_agg(repeat('y', 1000))::text) from generate_series(1, 400000)`,
  `select array_length(array_agg(repeat('z', 1000)), 1) from generate_series(1, 400000)`,
  `select length(xmlagg(xmlelement(name a, repeat('x', 1000)))::text) from generate_series(1, 400000)`,
  `select length(lpad('x', 500000000, 'yz'))`,
  `select length(overlay(repeat('a', 200000000) placing repeat('b', 200000000) from 5))`,
  `select upper(range_agg(int4range(i * 3, i * 3 + 1))) from generate_series(1, 12000000) i`,
  `select length(encode(convert_to(repeat('h', 150000000), 'UTF8'), 'hex'))`
]

t.test('a statement that takes too much memory fails alone, and takes no more', async t => {
  const { dir, store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table people (id int primary key)')], 1)
  let peakMiB = 0
  const watch = setInterval(async () => {
    for (const pid of await processesIn(dataDirOf(dir))) {
      peakMiB = Math.max(peakMiB, field(pid, 'VmHWM'))
    }
  }, 20)
  t.teardown(() => clearInterval(watch))
  for (const [i, sql] of GREEDY.entries()) {
    const beganMs = performance.now()
    const { status, body } = await readOf(store, sql)
    t.equal(status, 400, sql)
    t.match(body.sqlstate, /^(53200|53400|57014|54000|22023)$/, `${sql}: ${JSON.stringify(body)}`)
    t.comment(
      `${sql}: ${body.sqlstate} ${(performance.now() - beganMs).toFixed(0)} ms, ${field('self', 'VmHWM').toFixed(0)} MiB`
    )
    const batch = [
      command([`insert into people values (${2 * i})`]),
      command([sql]),
      command([`insert into people values (${2 * i + 1})`])
    ]
    const entries = (await store.execute(batch, 1)).map(entryOf)
    t.strictSame(
      entries.map(entry => entry.status),
      [200, 400, 200],
      sql
    )
  }
  t.comment(`peak of one process ${peakMiB.toFixed(0)} MiB`)
  t.ok(peakMiB < BACKEND_MEMORY_MIB + SHARED_MIB)
  t.equal(store.memory.term, 1)
})

t.test('the largest entries fit, on a replica too', async t => {
  const { master, run, differing } = await startPair(t)
  await run(ddl('create table big (id int primary key, t text, b bytea)'))
  const most = 7.9 * MIB
  const random = `(select string_agg(md5(random()::text), '') from generate_series(1, 240000))`
  const statements = [
    `insert into big (id, t) values (1, ${random})`,
    `insert into big (id, b) select 2, decode(repeat('ab', 3900000), 'hex')`,
    `insert into big (id, t) select 10 + i, md5(i::text) from generate_series(1, 150000) i`,
    `update big set t = upper(t) where id >= 10`,
    `update big set id = -id where id >= 10`,
    'delete from big where id < -10'
  ]
  for (const sql of statements) {
    const [entry] = await run(command([sql]))
    t.equal(entry?.status, 200, `${sql}: ${JSON.stringify(resultOf(entry))}`.slice(0, 300))
    t.comment(`${(entry?.changes.length ?? 0) / MIB} of ${most / MIB} MiB`)
  }
  await run(ddl('create index on big (md5(t))'))
  t.strictSame(await differing(), [])
  const pids = await processesIn(dataDirOf(master.dir))
  t.comment(`peak ${Math.max(...pids.map(pid => field(pid, 'VmHWM')))} MiB`)
})

t.test('what applies the log is exempt, and nothing else', async t => {
  const { dir, store } = await startWorker(t)
  await store.beginTerm(1)
  await readOf(store, 'select 1')
  const limits = (await processesIn(dataDirOf(dir))).map(
    pid => /^Max data size +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
  )
  t.equal(limits.filter(limit => limit === 'unlimited').length, 1)
  t.ok(limits.filter(limit => limit === String(BACKEND_MEMORY_MIB * MIB)).length > 5)
})
