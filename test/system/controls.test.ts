/**
 * Whatever an operator changes on a running system takes effect on all instances, and no
 * client notices: there is a steady load all along, and nothing of it fails but what was
 * switched off on purpose.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Run } from '../../local/convoy.ts'
import { startStandIn } from '../../local/stand-in.ts'
import { type ClusterNow, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'
import { rowsIn } from '../../testing/cluster/databases.ts'
import { type Answer, call, type Method } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { Traffic } from './traffic.ts'

const WITHIN = { withinMs: 20_000 }

interface Instance {
  readonly id: string
  readonly service: string
  readonly pid: number
}

interface Changed {
  readonly version: number
  readonly acknowledged: readonly Instance[]
  readonly missing: readonly Instance[]
}

const cluster = await startCluster(t, {
  orchestrators: 2,
  settings: { CONVOY_SCRYPT_COST_LOG2: '4' }
})
const run = JSON.parse(readFileSync(cluster.folder.runFile, 'utf8')) as Run
const other = run.orchestrators.find(url => url !== cluster.url) ?? ''
for (const program of ['users-api', 'rides-api'] as const) {
  const pid = run.pids[program] ?? 0
  const standIn = await startStandIn({ program, pid, folder: cluster.folder.root, say: () => {} })
  t.teardown(() => standIn[Symbol.asyncDispose]())
}
const traffic = await Traffic.start(t, cluster)

const ask = (target: `${Method} ${string}`, body?: object): Promise<Answer> => {
  const [method, path] = target.split(' ') as [Method, string]
  return call(`${method} ${cluster.url}/api/v1/${path}`, body === undefined ? {} : { body })
}

/** All ten have taken it. */
async function change(t: Test, target: `${Method} ${string}`, body: object): Promise<Changed> {
  const { status, body: answer } = await ask(target, body)
  t.equal(status, 200, JSON.stringify(answer))
  const { acknowledged, missing } = answer as Changed
  t.strictSame(missing, [], 'everybody acknowledges')
  t.equal(acknowledged.length, 10)
  return answer as Changed
}

async function instances(service: string): Promise<Instance[]> {
  const { body } = await ask('GET controls')
  const all = (body as { instances: Instance[] }).instances
  return all.filter(one => one.service === service)
}

const replicasOf = ({ workers }: ClusterNow) => workers.filter(({ role }) => role === 'replica')
const refusalOf = ({ status, body }: Answer) => [status, (body as { code: string }).code]

/** Who answers reads now. */
async function readers(): Promise<string[]> {
  const answers = Array.from({ length: 20 }, (_, n) =>
    read(cluster, `select ${n} as n, now()`, { consistency: 'replica' })
  )
  return [...new Set((await Promise.all(answers)).map(({ workerId }) => workerId))].sort()
}

/** Messages that an orchestrator has sent to workers, and requests in them, as of one moment. */
async function sent(url: string): Promise<{ messages: number; requests: number }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const sumOf = (name: string) => {
    const lines = text.split('\n').filter(line => line.startsWith(name))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
  const name = 'convoy_lane_batch_requests'
  return { messages: sumOf(`${name}_count`), requests: sumOf(`${name}_sum`) }
}

await t.test('log levels change, and change back', async t => {
  const lines = () => {
    const text = readFileSync(join(cluster.folder.logs, 'rides-api.log'), 'utf8')
    return text.split('\n').filter(line => line.includes('"request answered"')).length
  }
  t.equal(lines(), 0)
  await change(t, 'PUT controls/log', { service: 'rides-api', level: 'debug' })
  await until('lines of requests', WITHIN, () => (lines() > 3 ? true : undefined))
  await change(t, 'PUT controls/log', { service: 'rides-api', level: null })
  const before = lines()
  await traffic.more(20)
  t.equal(lines(), before)
})

/** Beside the connections for quick reads: one that watches, and those for slow reads. */
const WATCHING = 1
const SLOW = { most: 4, kept: 1 }

await t.test('connections of each worker grow and shrink', async t => {
  const connections = async () => {
    const sql = `select count(*) as n from pg_stat_activity where usename = 'convoy_read'`
    const rows = await Promise.all(placesOf(cluster).map(place => rowsIn(place, sql)))
    return Math.max(...rows.map(([row]) => Number(row?.['n'])))
  }
  const burst = (reads: number) =>
    Array.from({ length: reads }, (_, n) =>
      read(cluster, `select count(*), ${n} from generate_series(1, 30000)`)
    )
  await change(t, 'PUT controls/workers', { connections: 6, readsInParallel: 64 })
  const [most] = await Promise.all([
    until('more than three connections', WITHIN, async () => {
      const now = await connections()
      return now > 3 + WATCHING ? now : undefined
    }),
    ...burst(150)
  ])
  t.ok(most <= 6 + WATCHING + SLOW.most, `${most} connections`)
  await change(t, 'PUT controls/workers', { connections: 1, readsInParallel: 2 })
  await until('one connection for quick reads', WITHIN, async () =>
    (await connections()) <= 1 + WATCHING + SLOW.kept ? true : undefined
  )
  await Promise.all(burst(20))
  await change(t, 'PUT controls/workers', { connections: null, readsInParallel: null })
})

await t.test('lanes send as many at once as is wanted', async t => {
  const burst = () =>
    Promise.all(Array.from({ length: 60 }, (_, n) => read(cluster, `select ${n}`)))
  await change(t, 'PUT controls/lanes', { batch: 1, inFlight: 4 })
  const before = await sent(cluster.url)
  await burst()
  const after = await sent(cluster.url)
  t.equal(after.requests - before.requests, after.messages - before.messages, 'one in each')
  await change(t, 'PUT controls/lanes', { batch: null, inFlight: null })
})

await t.test('a frozen replica takes no reads, and stays in sync', async t => {
  const now = await cluster.now()
  const [one, two] = replicasOf(now)
  await change(t, 'POST controls/freeze', { instance: String(one?.pid) })
  await until('reads by the other alone', WITHIN, async () =>
    (await readers()).join() === two?.id ? true : undefined
  )
  await traffic.more(20)
  t.strictSame((await cluster.now()).inSync, now.inSync)

  await change(t, 'POST controls/freeze', { instance: two?.id })
  await until('reads by the master', WITHIN, async () =>
    (await readers()).join() === now.master ? true : undefined
  )
  const refused = await ask('POST controls/freeze', { instance: now.master })
  t.strictSame(refusalOf(refused), [409, 'CONVOY_NO_SUCCESSOR'])

  await cluster.kill(`worker ${one?.id}`)
  await cluster.healed([one?.pid ?? 0])
  t.strictSame(await readers(), [now.master], 'still frozen when it is started again')
  for (const { id } of replicasOf(now)) await change(t, 'POST controls/start', { instance: id })
  await until('reads by both', WITHIN, async () =>
    (await readers()).length === 2 ? true : undefined
  )
})

await t.test('a master that is frozen hands over first', async t => {
  const { master, term, inSync } = await cluster.now()
  await change(t, 'POST controls/freeze', { instance: master })
  const now = await until('another master', WITHIN, async () => {
    const seen = await cluster.healed()
    return seen.term > term ? seen : undefined
  })
  t.not(now.master, master)
  t.strictSame([...now.inSync].sort(), [...inSync].sort())
  t.notOk((await readers()).includes(String(master)))
  await traffic.more(20)
  await change(t, 'POST controls/start', { instance: master })
})

for (const service of ['users-api', 'rides-api']) {
  await t.test(`lb goes around a frozen ${service}; the last one is not frozen`, async t => {
    const [one, two] = await instances(service)
    await change(t, 'POST controls/freeze', { instance: one?.id })
    await traffic.more(30)
    const last = await ask('POST controls/freeze', { instance: two?.id })
    t.strictSame(refusalOf(last), [409, 'CONVOY_LAST_INSTANCE'])
    await change(t, 'POST controls/start', { instance: one?.id })
    await change(t, 'POST controls/freeze', { instance: two?.id })
    await traffic.more(30)
    await change(t, 'POST controls/start', { instance: two?.id })
  })
}

await t.test('services go around a frozen orchestrator, which says so', async t => {
  const { body } = await call(`GET ${other}/api/v1/cluster`)
  const { orchestrators } = body as { orchestrators: { id: string; http: string }[] }
  const id = orchestrators.find(({ http }) => http === other)?.id
  await change(t, 'POST controls/freeze', { instance: id })
  const refused = await call(`POST ${other}/api/v1/db/read`, { body: { sql: 'select 1' } })
  t.strictSame(refusalOf(refused), [503, 'CONVOY_FROZEN'])
  t.equal(refused.headers['retry-after'], '1')
  const before = await sent(other)
  await traffic.more(20)
  // It goes on asking how far the log is, for its own cache; each client has read 20 times.
  const own = (await sent(other)).requests - before.requests
  t.ok(own < 20, `it sent ${own} requests, all of its own`)
  t.equal((await call(`GET ${other}/api/v1/cluster`)).status, 200)
  await change(t, 'POST controls/start', { instance: id })
})

await t.test('an operation that is disabled answers 503, and all others go on', async t => {
  t.strictSame(traffic.failures(), [], 'nothing has failed so far')
  const names = async (enabled: boolean) => {
    const { body } = await ask('GET controls/operations')
    const all = body as { name: string; enabled: boolean }[]
    return all.filter(one => one.enabled === enabled).map(({ name }) => name)
  }
  t.ok((await names(true)).includes('rides.create'))
  await change(t, 'POST controls/disable', { operation: 'rides.create' })
  const refused = await call(`POST ${cluster.lbUrl}/api/v1/rides`, { body: {} })
  t.strictSame(refusalOf(refused), [503, 'CONVOY_OPERATION_DISABLED'])
  t.equal(refused.headers['retry-after'], '10')
  t.strictSame(await names(false), ['rides.create'])
  await traffic.more(20, 'rides.create')
  await change(t, 'POST controls/enable', { operation: 'rides.create' })
  await traffic.more(20)
  t.strictSame(traffic.failures(), ['rides.create 503 CONVOY_OPERATION_DISABLED'])
})

await t.test('what is said while RabbitMQ is away is taken from /config', async t => {
  await cluster.kill('rabbitmq')
  await change(t, 'POST controls/disable', { operation: 'users.delete' })
  const users = `${cluster.lbUrl}/api/v1/users/nobody`
  t.strictSame(refusalOf(await call(`DELETE ${users}`)), [503, 'CONVOY_OPERATION_DISABLED'])
  await traffic.more(10)
  await change(t, 'POST controls/enable', { operation: 'users.delete' })
})

await t.test('what makes no sense is refused and changes nothing', async t => {
  // Each instance says by itself which settings it has; the last change may be on its way yet.
  const before = await until('all to have the newest settings', { withinMs: 10_000 }, async () => {
    const answer = await ask('GET controls')
    const { instances } = answer.body as { instances: readonly { version: number }[] }
    return new Set(instances.map(({ version }) => version)).size === 1 ? answer : undefined
  })
  const wrong: [`${Method} ${string}`, object, number, string][] = [
    ['PUT controls/log', { service: 'kitchen', level: 'info' }, 400, 'CONVOY_INVALID_REQUEST'],
    ['PUT controls/log', { service: 'lb', level: 'loud' }, 400, 'CONVOY_INVALID_REQUEST'],
    ['PUT controls/workers', { connections: 0 }, 400, 'CONVOY_INVALID_REQUEST'],
    ['PUT controls/workers', {}, 400, 'CONVOY_INVALID_REQUEST'],
    ['PUT controls/lanes', { batch: 1.5 }, 400, 'CONVOY_INVALID_REQUEST'],
    ['POST controls/freeze', { instance: 'nobody' }, 404, 'CONVOY_NO_SUCH_INSTANCE'],
    ['POST controls/freeze', { instance: 'lb', why: 1 }, 400, 'CONVOY_INVALID_REQUEST'],
    ['POST controls/disable', { operation: 'rides.fly' }, 400, 'CONVOY_OPERATION_UNKNOWN'],
    ['POST cluster/hosts', { name: 'two' }, 409, 'CONVOY_HOST_REFUSED']
  ]
  for (const [target, body, status, code] of wrong) {
    t.strictSame(refusalOf(await ask(target, body)), [status, code], JSON.stringify(body))
  }
  t.strictSame((await ask('GET controls')).body, before.body)
})

await t.test('no request has failed', async t => {
  const answered = await traffic.stop()
  t.strictSame(traffic.failures(), [])
  t.comment(answered)
})
