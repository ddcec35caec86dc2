/**
 * A worker's database on a disk that is full, or hangs: a small file system of its own.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Disk } from '../../testing/faults/disk.ts'
import {
  BIN_DIR,
  command,
  ddl,
  entryOf,
  openWorker,
  readOf,
  temporaryFolder
} from '../../testing/fixtures/postgres.ts'
import { DiskFullError } from '../store.ts'
import { dataDirOf, initDatabase } from './server.ts'

/** Less than a statement may take: it is not the statement that is waited for. */
const NOTICED_MS = 4_000

const scratch = await temporaryFolder(t)
const skip = Disk.permitted(scratch) ? false : 'mounting file systems is not permitted here'

async function workerOnDisk(t: Test) {
  const base = await temporaryFolder(t)
  const disk = new Disk(join(base, 'disks'), 'w')
  t.teardown(() => disk[Symbol.dispose]())
  const dir = join(base, 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  disk.adopt(dataDirOf(dir))
  const { store } = await openWorker(t, dir)
  await store.beginTerm(1)
  await store.execute([ddl('create table t (id int primary key, body text)')], 1)
  return { disk, store }
}

const rows = (from: number, to: number) =>
  command([
    `insert into t select n, repeat(md5(n::text), 32) from generate_series(${from}, ${to}) n`
  ])

t.test('a full disk undoes all, and the database goes on when there is room', { skip }, async t => {
  const { disk, store } = await workerOnDisk(t)
  const before = store.last
  await disk.fill()
  await t.rejects(store.execute([rows(1, 8_000)], 1), DiskFullError)
  t.strictSame(store.last, before)
  const sorted = await readOf(
    store,
    'select md5(n::text) from generate_series(1, 1000000) n order by 1'
  )
  t.equal(sorted.status, 503, 'a read that needs room for its sorting says so, and harms nobody')
  t.match(await readOf(store, 'select count(*) from t'), {
    status: 200,
    body: { rows: [{ count: '0' }] }
  })
  disk.free()
  const [executed] = await store.execute([rows(1, 8_000)], 1)
  t.equal(entryOf(executed).index, before.index + 1)
})

t.test('a write to a disk that hangs is overdue until it returns', { skip }, async t => {
  const { disk, store } = await workerOnDisk(t)
  t.equal(store.overdueMs(), 0)
  disk.hang()
  const executing = store.execute([rows(1, 10)], 1)
  const untilMs = performance.now() + NOTICED_MS
  while (store.overdueMs() < 500 && performance.now() < untilMs) await sleep(20)
  t.ok(store.overdueMs() >= 500)
  disk.goOn()
  entryOf((await executing)[0])
  t.equal(store.overdueMs(), 0)
})
