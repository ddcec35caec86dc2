/**
 * More bytes at once than RabbitMQ takes, and an alarm of RabbitMQ that comes from elsewhere:
 * what is refused is refused at once, and neither elections nor losses come of it.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { MemoryAlarm } from '../../testing/faults/memory-alarm.ts'
import { until } from '../../testing/wait.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const MIB = 1024 * 1024
const MAX_BYTES = 7.9 * MIB
/** What is promised, where a large write alone takes no longer than `QUICK_MS`. */
const PROMISED_MS = 1_500
const QUICK_MS = 500
/** Of 40 large writes, on a machine that gets much slower while they are on their way. */
const OPEN_MAX = 2
const ALARM_MS = 5_000

interface Answer {
  readonly status: number
  readonly code: string
  readonly retryAfter: unknown
  readonly ms: number
  readonly length: number
}

/** @param from address: without tokens, a client is an address */
function clientAt(t: Test, from: string) {
  const agent = new Agent({ localAddress: from, connections: 100 })
  t.teardown(() => agent.destroy())
  return async (url: string, path: string, body: object, key?: string): Promise<Answer> => {
    const beganMs = performance.now()
    const {
      statusCode,
      headers,
      body: answer
    } = await request(`${url}/api/v1/db/${path}`, {
      method: 'POST',
      dispatcher: agent,
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key })
      },
      body: JSON.stringify(body)
    })
    const text = await answer.text()
    const [, code = ''] = /"code":"(\w+)"/.exec(text.slice(0, 200)) ?? []
    const ms = performance.now() - beganMs
    const { length } = text
    return { status: statusCode, code, retryAfter: headers['retry-after'], ms, length }
  }
}

type Client = ReturnType<typeof clientAt>

/** A quick client beside; each call is told. */
function besides(cluster: Cluster, client: Client) {
  const answers: Answer[] = []
  let stopped = false
  const calls = [
    () => client(cluster.url, 'write', { statements: [{ sql: 'update small set n = n + 1' }] }),
    () => client(cluster.url, 'read', { sql: `select n, ${answers.length} from small` }),
    () => client(cluster.url, 'read', { sql: 'select n from small', consistency: 'strong' })
  ]
  const loops = calls.map(async call => {
    while (!stopped) {
      answers.push(await call())
      await sleep(20)
    }
  })
  return async () => {
    stopped = true
    await Promise.all(loops)
    return answers
  }
}

const statusesOf = (answers: readonly Answer[]) => [...new Set(answers.map(a => a.status))].sort()
const worstOf = (answers: readonly Answer[]) => Math.max(...answers.map(({ ms }) => ms))

const alarm = new MemoryAlarm()
t.teardown(() => alarm[Symbol.dispose]())
const cluster = await startCluster(t, {
  orchestrators: 2,
  brokerArgs: alarm.args,
  // A write of the largest size takes long on a busy machine, and is not to fail for that.
  settings: { CONVOY_WRITE_PATIENCE_MS: '3000' }
})
await write(cluster, { sql: 'create table large (key text primary key, value text not null)' })
await write(cluster, { sql: 'create table small (id bigint primary key, n bigint not null)' })
await write(cluster, { sql: 'insert into small values (1, 0)' })

const insertLarge = (key: string, value: string) => ({
  statements: [{ sql: 'insert into large (key, value) values ($1, $2)', params: [key, value] }]
})

/** How many times slower than `QUICK_MS` the machine is now; at least 1. */
const first = clientAt(t, '127.0.0.4')
const tookMs: number[] = []
for (const key of ['first', 'second', 'third']) {
  const { ms } = await first(cluster.url, 'write', insertLarge(key, 'x'.repeat(MAX_BYTES)), key)
  tookMs.push(ms)
}
await write(cluster, { sql: 'truncate large' })
const slowness = Math.max(1, Math.max(...tookMs) / QUICK_MS)
t.comment(`a large write alone takes ${tookMs.map(Math.round)} ms`)

async function isAsBefore(t: Test, before: Awaited<ReturnType<Cluster['now']>>): Promise<void> {
  const after = await cluster.now()
  t.equal(after.term, before.term, 'nobody was elected')
  t.strictSame([...after.inSync].sort(), [...before.inSync].sort(), 'no replica was removed')
}

t.test('large writes at once are done or refused, and hold up nobody beside', async t => {
  const before = await cluster.now()
  const attacker = clientAt(t, '127.0.0.3')
  const end = besides(cluster, clientAt(t, '127.0.0.2'))
  const value = 'x'.repeat(MAX_BYTES)
  const acknowledged: string[] = []
  const open: string[] = []
  const attack = async (bytes: number, i: number): Promise<Answer> => {
    const key = randomUUID()
    const url = cluster.orchestrators[i % 2] as string
    const answer = await attacker(url, 'write', insertLarge(key, value.slice(0, bytes)), key)
    if (answer.status === 200) acknowledged.push(key)
    if (answer.status === 504) open.push(key)
    return answer
  }
  const answers: Answer[] = []
  for (const bytes of [MAX_BYTES, 4 * MIB]) {
    answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => attack(bytes, i)))))
  }
  const beside = await end()
  const done = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status === 503)
  const others = answers.filter(one => !done.includes(one) && !refused.includes(one))
  t.comment(
    `${done.length} done, ${refused.length} refused, ${others.map(({ status, code }) => `${status} ${code}`)}, beside ${worstOf(beside)} ms at most`
  )
  t.equal(done.length + refused.length + open.length, answers.length)
  t.ok(open.length <= OPEN_MAX * slowness, `${open.length} are left open`)
  t.ok(done.length >= 2, `${done.length} are done: it goes on`)
  t.ok(refused.every(({ retryAfter }) => retryAfter === '1'))
  t.strictSame(statusesOf(beside), [200])
  t.ok(worstOf(beside) < PROMISED_MS * slowness, `${worstOf(beside)} ms`)
  await isAsBefore(t, before)
  const { rows } = (await (
    await fetch(`${cluster.url}/api/v1/db/read`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql: 'select key from large', consistency: 'strong' })
    })
  ).json()) as { rows: { key: string }[] }
  const keys = rows.map(({ key }) => key)
  t.strictSame(
    acknowledged.filter(key => !keys.includes(key)),
    [],
    'nothing is lost'
  )
  t.strictSame(
    keys.filter(key => !acknowledged.includes(key) && !open.includes(key)),
    [],
    'what was refused is not done'
  )
})

t.test('large reads at once are answered, and hold up nobody beside', async t => {
  const before = await cluster.now()
  const reader = clientAt(t, '127.0.0.3')
  for (const consistency of ['replica', 'strong']) {
    const end = besides(cluster, clientAt(t, '127.0.0.2'))
    const read = { sql: `select repeat('x', 7000000) as value`, consistency }
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, i) =>
        reader(cluster.orchestrators[i % 2] as string, 'read', read)
      )
    )
    const beside = await end()
    const whole = answers.filter(({ length }) => length > 7_000_000)
    t.comment(`${consistency}: ${whole.length} answered, beside ${worstOf(beside)} ms at most`)
    t.ok(whole.length >= 8, `${whole.length} are answered`)
    const codes = ['', 'CONVOY_OVERLOADED', 'CONVOY_TIMEOUT']
    t.strictSame(
      answers.filter(({ code }) => !codes.includes(code)),
      [],
      'the others are told to ask again'
    )
    t.strictSame(statusesOf(beside), [200])
    t.ok(worstOf(beside) < PROMISED_MS * slowness, `${worstOf(beside)} ms`)
  }
  await isAsBefore(t, before)
})

t.test('while RabbitMQ takes no messages all is refused at once, and nothing is lost', async t => {
  const before = await cluster.now()
  const client = clientAt(t, '127.0.0.2')
  const small = { statements: [{ sql: 'update small set n = n + 1' }] }
  const read = (consistency: string) =>
    client(cluster.url, 'read', { sql: `select n, ${performance.now()} from small`, consistency })
  const writers = await Writers.start(t, cluster, { clients: 4, retry: true })
  alarm.raise()
  // Those that are sent before it is noticed wait, until it is over.
  const first: Promise<Answer>[] = []
  let isNoticed = false
  await until('it is noticed', { withinMs: 3_000 }, async () => {
    const asking = client(cluster.url, 'write', small)
    first.push(asking)
    void asking.then(({ status }) => {
      if (status === 503) isNoticed = true
    })
    await sleep(100)
    return isNoticed ? true : undefined
  })
  const raisedMs = performance.now()
  const refused: Answer[] = []
  while (performance.now() - raisedMs < ALARM_MS) {
    refused.push(await client(cluster.url, 'write', small))
    refused.push(await read('replica'), await read('strong'))
    await sleep(50)
  }
  t.strictSame(statusesOf(refused), [503])
  t.ok(refused.every(({ retryAfter }) => retryAfter === '1'))
  t.ok(worstOf(refused) < PROMISED_MS * slowness, `at once: ${worstOf(refused)} ms`)
  await isAsBefore(t, before)
  alarm.clear()
  const clearedMs = performance.now()
  await until('all is well', { withinMs: 10_000 }, async () => {
    const answers = [await client(cluster.url, 'write', small), await read('strong')]
    return statusesOf(answers).join() === '200' ? true : undefined
  })
  t.comment(`well after ${performance.now() - clearedMs} ms`)
  t.ok(performance.now() - clearedMs < 5_000, 'within seconds')
  for (const { status } of await Promise.all(first))
    t.ok(status === 200 || status === 503, `${status}`)
  const { acknowledged, errors } = await writers.stop()
  t.strictSame(errors, [])
  await onceOnAllWorkers(t, cluster, { acknowledged })
  await isAsBefore(t, before)
  await equalOnAllWorkers(t, cluster)
})
