import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  command,
  ddl,
  entryOf,
  readOf,
  resultOf,
  rowsOf,
  startPair,
  startWorker,
  type TestWorker
} from '../../testing/fixtures/postgres.ts'
import type { Entry } from '../entry.ts'
import { processesIn } from './processes.ts'
import { dataDirOf } from './server.ts'

const KILLS = Number(process.env['CONVOY_TEST_KILLS'] ?? 12)

async function backendsOf({ dir }: TestWorker, user: string): Promise<number[]> {
  const pids = await processesIn(dataDirOf(dir))
  return pids.filter(pid => titleOf(pid).startsWith(`postgres: ${user} `))
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it has ended
  }
}

/** Once there is one. */
async function kill(worker: TestWorker, how: { user: string; signal?: NodeJS.Signals }) {
  for (let tries = 0; tries < 500; tries++) {
    const [pid] = (await backendsOf(worker, how.user)).toSorted(() => Math.random() - 0.5)
    try {
      if (pid !== undefined && process.kill(pid, how.signal ?? 'SIGKILL')) return
    } catch {
      // It has ended.
    }
    await sleep(20)
  }
  throw new Error(`no process of ${how.user}`)
}

/** Returns when an INSERT is under way. */
async function inserting(worker: TestWorker): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const [pid] = await backendsOf(worker, 'convoy_app')
    if (pid !== undefined && titleOf(pid).includes('INSERT')) return
    await sleep(20)
  }
  throw new Error('nothing is inserted')
}

function isGapless(entries: readonly Entry[]): boolean {
  return entries.every(({ index }, i) => index === i + 1)
}

/** All of it: one question is answered with 5,000 entries at most. */
async function logOf({ store }: TestWorker): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for (;;) {
    const log = await store.entriesAfter(entries.length, 1e9)
    if (log === 'pruned') throw new Error('pruned')
    if (log.entries.length === 0) return entries
    entries.push(...log.entries)
  }
}

t.test('innocent work ends well when a process crashes meanwhile', async t => {
  const worker = await startWorker(t)
  const { server, store } = worker
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, t text)')], 1)
  const { pid } = server
  for (const [i, signal] of (['SIGSEGV', 'SIGABRT', 'SIGKILL'] as const).entries()) {
    const slow = `(select count(*) from generate_series(1, 3000000))`
    const batch = [0, 1, 2].map(n => command([`insert into a select ${10 * i + n}, ${slow}::text`]))
    const written = store.execute(batch, 1)
    const read = readOf(store, `select ${slow}::int4 as n`)
    await sleep(150)
    await kill(worker, { user: 'convoy_app', signal })
    t.strictSame(
      (await written).map(entryOf).map(({ status }) => status),
      [200, 200, 200]
    )
    t.strictSame((await read).body.rows, [{ n: 3_000_000 }])
  }
  t.strictSame(await rowsOf(store, 'select count(*)::int4 as n from a'), [{ n: 9 }])
  t.ok(isGapless(await logOf(worker)))
  t.equal(server.pid, pid)
  t.equal(store.memory.term, 1)
})

t.test('what crashes its process twice is not executed again', async t => {
  const worker = await startWorker(t)
  const { store } = worker
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key)')], 1)
  const slow = '(select count(*) from generate_series(1, 20000000))'
  const batch = [
    command(['insert into a values (1)']),
    command([`insert into a select ${slow}`]),
    command(['insert into a values (2)'])
  ]
  const written = store.execute(batch, 1)
  for (let i = 0; i < 2; i++) {
    await sleep(300)
    await inserting(worker)
    await sleep(200)
    await kill(worker, { user: 'convoy_app', signal: 'SIGSEGV' })
  }
  const entries = (await written).map(entryOf)
  t.strictSame(
    entries.map(({ status }) => status),
    [200, 422, 200]
  )
  t.equal(resultOf(entries[1]).code, 'CONVOY_REQUEST_HARMFUL')
  const asked = { readId: 'r', sql: `select ${slow} as harmful`, params: [], ttlMs: 10_000 }
  const [read] = store.read([asked])
  await sleep(700)
  await kill(worker, { user: 'convoy_read', signal: 'SIGSEGV' })
  t.equal((await read)?.note, 'returned')
  t.strictSame(await rowsOf(store, 'select id from a'), [{ id: 1 }, { id: 2 }])
})

t.test('kills at random moments lose nothing, double nothing and leave no gap', async t => {
  const { master, replica, differing } = await startPair(t)
  const create = await master.store.execute([ddl('create table a (id int primary key)')], 1)
  await replica.store.apply(create.map(entryOf), 1)
  let over = false
  let id = 0
  const acknowledged: number[] = []
  const refused: number[] = []
  const writing = (async () => {
    while (!over) {
      const ids = [++id, ++id, ++id]
      const batch = ids.map(n => command([`insert into a values (${n})`]))
      const entries = (await master.store.execute(batch, 1)).map(entryOf)
      await replica.store.apply(entries, 1)
      for (const [i, { status }] of entries.entries()) {
        const into = status === 200 ? acknowledged : refused
        into.push(ids[i] ?? 0)
      }
    }
  })()
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(600 * Math.random())
    // Of the processes of Convoy's own only a few: restarts that nothing explains are too many soon.
    if (kills % 4 === 3) await kill(replica, { user: 'convoy_apply' })
    else await kill(master, { user: 'convoy_app' })
  }
  over = true
  await writing
  t.comment(`${acknowledged.length} acknowledged, ${refused.length} refused`)
  const log = await logOf(master)
  t.ok(isGapless(log))
  t.equal(log.at(-1)?.checksum, master.store.last.checksum)
  t.equal(new Set(log.map(({ requestId }) => requestId)).size, log.length)
  const rows = await rowsOf(master.store, 'select id from a order by id')
  t.strictSame(
    rows,
    acknowledged.map(n => ({ id: n }))
  )
  t.strictSame(await differing(), [])
  t.equal(master.store.memory.term, 1)
})

t.test(
  'a term begins once, and work that was cancelled does not go on after a restart',
  async t => {
    const worker = await startWorker(t)
    const { store } = worker
    await store.beginTerm(1)
    await store.execute([ddl('create table a (id int primary key)')], 1)
    for (let term = 2; term < 5; term++) {
      const begun = store.beginTerm(term)
      await sleep(3 * Math.random())
      await kill(worker, { user: 'convoy_apply' })
      t.match(await begun, { index: store.last.index, term })
      t.equal(store.memory.term, term)
    }
    const slow = '(select count(*) from generate_series(1, 9000000))'
    const written = store.execute([command([`insert into a select ${slow}`])], 4)
    written.catch(() => undefined)
    await sleep(300)
    await Promise.all([kill(worker, { user: 'convoy_app' }), store.cancel()])
    await t.rejects(written, { name: 'WorkCancelledError' })
    t.strictSame(await rowsOf(store, 'select id from a'), [])
  }
)

t.test('where PostgreSQL restarts again and again for no reason, it is lost', async t => {
  const worker = await startWorker(t)
  const { store } = worker
  const died = (async () => {
    for (;;) {
      await store.checksumAt(0)
      await sleep(10)
    }
  })()
  died.catch(() => undefined)
  let lost = false
  died.catch(() => {
    lost = true
  })
  for (let i = 0; i < 60 && !lost; i++) {
    await kill(worker, { user: 'convoy_apply' }).catch(() => undefined)
    await sleep(300)
  }
  await t.rejects(died, { name: 'StoreLostError' })
})
