/**
 * Reads of several clients on one real database, some of which last.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  below,
  command,
  ddl,
  startWorker,
  type TestWorker
} from '../../testing/fixtures/postgres.ts'
import type { ReadCommand } from '../../wire/requests.ts'
import type { ReadResult, Store } from '../store.ts'

/** Takes far longer than any of these tests, and no processor. Only these tests may call it. */
const SLOW = 'select pg_sleep(30)'
const QUICK = 'select v from a where id = $1'
/** Of a quick read while slow ones run; on a quiet machine it takes some milliseconds. */
const WITHIN_MS = 1_000

let made = 0
const readOf = (client: string, sql: string, fields: Partial<ReadCommand> = {}): ReadCommand => ({
  ...{ readId: `${made++}`, client, sql, params: sql === QUICK ? [1] : [], ttlMs: 60_000 },
  ...fields
})

function ask(store: Store, read: ReadCommand): Promise<ReadResult> {
  const [result] = store.read([read])
  if (result === undefined) throw new Error('no result')
  return result
}

/** @returns how long each of `count` reads took, one after the other */
async function times(store: Store, client: string, count: number): Promise<number[]> {
  const taken: number[] = []
  for (let n = 0; n < count; n++) {
    const beganMs = performance.now()
    const { answer } = await ask(store, readOf(client, QUICK))
    if (answer.status !== 200) throw new Error(answer.body)
    taken.push(performance.now() - beganMs)
  }
  return taken.toSorted((a, b) => a - b)
}

async function workerFor(t: Test, readTimeoutMs = 30_000): Promise<TestWorker> {
  const worker = await startWorker(t, { readTimeoutMs })
  const { store } = worker
  await below(worker.server, 'grant execute on function pg_sleep to convoy_read')
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id int primary key, v text)')], 1)
  await store.execute([command(["insert into a values (1, 'x')"])], 1)
  return worker
}

const sleeping = ({ server }: TestWorker) =>
  below(
    server,
    `select count(*) from pg_stat_activity where query = '${SLOW}' and state = 'active'`
  )

t.test('quick reads of others are answered while 40 slow ones of a client wait', async t => {
  const worker = await workerFor(t)
  const { store } = worker
  await times(store, 'b', 10)
  const notes = new Map<ReadResult['note'], number>()
  let outlasted = 0
  for (let n = 0; n < 40; n++) {
    const counted = ({ note, answer }: ReadResult) => {
      notes.set(note, (notes.get(note) ?? 0) + 1)
      if (answer.body.includes('until its deadline')) outlasted += 1
    }
    ask(store, readOf('a', SLOW, { ttlMs: 4_000 })).then(counted, () => {})
  }
  const taken = await times(store, 'b', 50)
  t.comment(`median ${taken[25]?.toFixed(1)} ms, worst ${taken.at(-1)?.toFixed(1)} ms`)
  t.ok((taken.at(-1) ?? 0) < WITHIN_MS)
  await sleep(500)
  t.equal(await sleeping(worker), '2', 'half of the slow slots')
  t.ok((notes.get('busy') ?? 0) >= 20, 'most are given back')
  const other = ask(store, readOf('c', 'select pg_sleep(0.3)'))
  t.equal((await other).answer.status, 200, 'a slow read of another client gets a slot')
  await sleep(4_000)
  t.equal(await sleeping(worker), '0', 'nobody waits for them any more')
  t.ok(outlasted >= 2, 'and those that ran were told so in time')
  t.equal(notes.get('expired') ?? 0, 0, 'each has an answer before its deadline')
  t.equal(
    [...notes.values()].reduce((sum, count) => sum + count, 0),
    40
  )
})

t.test('an unknown text holds up no quick read, of its own client either', async t => {
  const worker = await workerFor(t)
  const { store } = worker
  await times(store, 'a', 10)
  for (let n = 0; n < 40; n++) {
    ask(store, readOf('a', `${SLOW}, ${n}`, { ttlMs: 3_000 })).catch(() => {})
  }
  const taken = await times(store, 'a', 50)
  t.comment(`worst ${taken.at(-1)?.toFixed(1)} ms`)
  t.ok((taken.at(-1) ?? 0) < WITHIN_MS)
})

t.test('texts that turn slow with their parameters give their places back', async t => {
  const worker = await workerFor(t)
  const { store } = worker
  await times(store, 'b', 10)
  const text = 'select pg_sleep($1)'
  for (let n = 0; n < 5; n++) await ask(store, readOf('a', text, { params: [0] }))
  for (let n = 0; n < 10; n++) {
    ask(store, readOf('a', text, { params: [30], ttlMs: 3_000 })).catch(() => {})
  }
  await sleep(50)
  const taken = await times(store, 'b', 30)
  t.comment(`worst ${taken.at(-1)?.toFixed(1)} ms`)
  t.ok((taken.at(-1) ?? 0) < WITHIN_MS)
})

t.test('reads behind one that lasts are answered; it goes on by itself', async t => {
  const { store } = await workerFor(t)
  const text = 'select pg_sleep($1)'
  for (let n = 0; n < 5; n++) await ask(store, readOf('a', text, { params: [0] }))
  await times(store, 'a', 5)
  const reads = [
    readOf('a', QUICK),
    readOf('a', text, { params: [1.5] }),
    ...Array.from({ length: 10 }, () => readOf('a', QUICK))
  ]
  const beganMs = performance.now()
  const took = await Promise.all(
    store.read(reads).map(async result => {
      const { answer } = await result
      return { status: answer.status, ms: performance.now() - beganMs }
    })
  )
  t.ok(took.every(({ status }) => status === 200))
  const [, slow, ...behind] = took
  t.ok(behind.every(({ ms }) => ms < 1_400))
  t.ok((slow?.ms ?? 0) >= 1_500)
})

t.test(
  'a read whose connection was ended from outside is run again, here or elsewhere',
  async t => {
    const { store, server } = await workerFor(t)
    const text = 'select pg_sleep(1.5)'
    const running = ask(store, readOf('a', text))
    await sleep(300)
    const end = `select count(pg_terminate_backend(pid)) from pg_stat_activity
    where query = '${text}' and state = 'active'`
    t.equal(await below(server, end), '1')
    const { answer, note } = await running
    // PostgreSQL now and then restarts all its processes then: it counts as a crash of this read.
    t.ok(note === 'returned' || answer.status === 200, `${note} ${answer.status}`)
    t.equal((await ask(store, readOf('a', QUICK))).answer.status, 200)
  }
)

t.test('a read tells that it begins before it runs', async t => {
  const { store } = await workerFor(t)
  const { promise: told, resolve } = Promise.withResolvers<void>()
  let answered = false
  const [result] = store.read([readOf('a', QUICK)], () => told)
  result?.then(() => {
    answered = true
  })
  await sleep(300)
  t.notOk(answered)
  resolve()
  t.equal((await result)?.answer.status, 200)
})

t.test('each of many reads that nothing interrupts is answered before its deadline', async t => {
  const { store } = await workerFor(t)
  const endless = `select length(translate(repeat('a', 3000000), repeat('b', 1000000), ''))`
  const ttlMs = 7_000
  const reads = Array.from({ length: 6 }, (_, n) =>
    ask(store, readOf('a', `${endless}, ${n}`, { ttlMs }))
  )
  const beganMs = performance.now()
  const results = await Promise.all(reads)
  t.ok(performance.now() - beganMs < ttlMs)
  for (const { note, answer } of results) {
    if (note === undefined) t.match(answer, { status: 400, body: /57014/ })
    else t.equal(note, 'busy', 'no slot was free for it')
  }
})
