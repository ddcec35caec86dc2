/**
 * What a write may take of everybody's time, in the database: its own, and less while others wait.
 */
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  entryOf,
  resultOf,
  rowsOf,
  startWorker
} from '../../testing/fixtures/postgres.ts'
import { WorkCancelledError } from '../store.ts'

const SLOW_MACHINE_MS = 2_000

const limits = { writeTimeoutMs: 1_500, writePatienceMs: 600 }
const sleeping = (client: string, ms: number, times = 1) =>
  command(
    Array.from({ length: times }, () => `select pg_sleep(${ms / 1000})`),
    { client }
  )
let keys = 0
const quick = (client: string) => command([`insert into t values (${++keys})`], { client })
const WAITING = { othersWait: () => true, isExpired: () => false }
const ALONE = { othersWait: () => false, isExpired: () => false }

async function start(t: Test) {
  const { store, server } = await startWorker(t, limits)
  await below(server, 'grant execute on function pg_sleep to convoy_app')
  await store.beginTerm(1)
  await store.execute([ddl('create table t (key int primary key)')], 1)
  const kinds = async (...args: Parameters<typeof store.execute>) => {
    const sinceMs = performance.now()
    const executed = await store.execute(...args)
    const took = performance.now() - sinceMs
    const what = executed.map(one => (one.kind === 'entry' ? one.entry.status : one.kind))
    return { executed, what, took }
  }
  return { store, kinds }
}

t.test('many statements of one write have one budget together', async t => {
  const { kinds } = await start(t)
  const many = sleeping('a', 200, 30)
  const { executed, what, took } = await kinds([quick('a'), many, quick('a')], 1, ALONE)
  t.strictSame(what, [200, 400, 200])
  t.match(resultOf(entryOf(executed[1])), {
    code: 'CONVOY_SQL',
    sqlstate: '57014',
    message: 'the write took longer than 1500 ms'
  })
  t.ok(took < 2_000 + SLOW_MACHINE_MS, `${took}`)
})

t.test('while nobody else waits, a write has its time, and is done once', async t => {
  const { store, kinds } = await start(t)
  const long = command(['insert into t values (-1)', 'select pg_sleep(0.9)'], { client: 'a' })
  t.strictSame((await kinds([long], 1, ALONE)).what, [200])
  t.strictSame(await rowsOf(store, 'select key from t'), [{ key: -1 }])
})

t.test('beside others it has less, and the others are done', async t => {
  const { executed, what, took } = await (await start(t)).kinds(
    [quick('b'), sleeping('a', 5_000), quick('c')],
    1,
    ALONE
  )
  t.strictSame(what, [200, 400, 200])
  t.match(resultOf(entryOf(executed[1])).message, /longer than 600 ms while other clients waited/)
  t.ok(took < 1_000 + SLOW_MACHINE_MS, `${took}`)
})

t.test('the slow ones of one client wait for the others', async t => {
  const { store, kinds } = await start(t)
  const batch = [...Array.from({ length: 20 }, () => sleeping('a', 400)), quick('b')]
  const { what } = await kinds(batch, 1, WAITING)
  t.strictSame(what, [200, ...Array(19).fill('postponed'), 200])
  const indexes = await store.entriesAfter(2, 1e6)
  t.equal(indexes === 'pruned' ? 0 : indexes.entries.length, 2)
})

t.test('a slow write is not failed for the time that another client took', async t => {
  const { store, kinds } = await start(t)
  const other = command(['insert into t values (-1)', 'select pg_sleep(0.5)'], { client: 'b' })
  const first = await kinds([sleeping('a', 400), other, quick('c')], 1, WAITING)
  t.strictSame(first.what, [200, 'postponed', 200])
  t.strictSame(await rowsOf(store, 'select key from t where key < 0'), [], 'nothing of it is done')
  t.strictSame((await kinds([other], 1, WAITING)).what, [200], 'in its own turn it is')
})

t.test('a write whose caller has gone is not begun, or undone', async t => {
  const { store, kinds } = await start(t)
  const gone = command(['insert into t values (-1)', 'select pg_sleep(1.2)'], { client: 'a' })
  const sinceMs = performance.now()
  const bystanders = {
    othersWait: () => false,
    isExpired: (one: unknown) => one === gone && performance.now() - sinceMs > 700
  }
  t.strictSame((await kinds([gone, quick('a')], 1, bystanders)).what, ['postponed', 200])
  t.strictSame((await kinds([gone], 1, bystanders)).what, ['postponed'])
  t.strictSame(await rowsOf(store, 'select key from t where key < 0'), [])
  t.strictSame((await kinds([quick('a')], 1, WAITING)).what, [200])
})

t.test('to cancel a batch for an election works in each mode', async t => {
  const { store } = await start(t)
  for (let i = 0; i < 3; i++) {
    const running = t.rejects(
      store.execute([quick('a'), sleeping('a', 1_200)], 1),
      WorkCancelledError
    )
    await new Promise(resolve => setTimeout(resolve, 100 + 300 * i))
    await store.cancel()
    await running
  }
  t.strictSame(await rowsOf(store, 'select key from t'), [])
  t.equal(entryOf((await store.execute([quick('a')], 1))[0]).status, 200)
})
