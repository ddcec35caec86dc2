/**
 * A whole Convoy in containers, and everything that may happen to it there, while clients
 * write and read whose history is judged afterwards.
 */
import t, { type Test } from 'tap'
import { call } from '../contract/convoy.ts'
import { deletionContract, deletionFaults } from '../contract/deletion.ts'
import { idempotencyContract } from '../contract/idempotency.ts'
import { ridesContract } from '../contract/rides.ts'
import { serviceContract } from '../contract/service.ts'
import { usersContract } from '../contract/users.ts'
import { read } from '../system/database.ts'
import { Riders } from '../system/riders.ts'
import { until } from '../system/wait.ts'
import { Clients } from '../torture/clients.ts'
import { judge } from '../torture/verdict.ts'
import { type Seen, TestStack } from './test-stack.ts'

const BACK_MS = 60_000
const CLIENTS = { clients: 8, perS: 5 }

const stack = new TestStack()
t.teardown(() => stack.run('down', '--data'))
await stack.up()
await stack.healed()

await t.test('the contract of the application', async t => {
  const convoy = await stack.asConvoy()
  await t.test('users', t => usersContract(t, convoy))
  await t.test('rides', t => ridesContract(t, convoy))
  await t.test('deletion of users', t => deletionContract(t, convoy))
  await t.test('deletion of users while services die', t =>
    deletionFaults(t, convoy, name => void stack.kill(`${name}-1`))
  )
  await t.test('Idempotency-Key', t => idempotencyContract(t, convoy))
  await t.test('each service', async t => serviceContract(t, await stack.asConvoy()))
})

await t.test('statements are bounded from outside in containers too', async t => {
  const endless = `select length(translate(repeat('a', 3000000), repeat('b', 1000000), ''))`
  const huge = `select length(string_agg(repeat('x', 1000000), '')) from generate_series(1, 540)`
  const { inSync: before, term } = await stack.healed()
  const reading = stack.call('POST /db/read', { sql: endless })
  const writing = stack.call('POST /db/write', { statements: [{ sql: endless }] })
  const [read, written] = await Promise.all([reading, writing])
  t.equal(read.status, 400)
  t.match(written.body, { code: /^CONVOY_(SQL|REQUEST_HARMFUL)$/ })
  const { status, body } = await stack.call('POST /db/read', { sql: huge })
  t.match({ status, body }, { status: 400, body: { sqlstate: '53200' } }, 'out of memory')
  const after = await stack.healed()
  t.equal(after.term, term, 'no election')
  t.strictSame(new Set(after.inSync), new Set(before), 'no worker was lost')
})

await t.test('faults, and a history without a flaw', async t => {
  const clients = new Clients({ cluster: stack, ...CLIENTS, seed: Math.floor(Math.random() * 1e6) })
  await clients.start()
  const answered = () => clients.answeredAtMs.writes.length
  const goesOn = async (what: string) => {
    const before = answered()
    await until(`writes after ${what}`, { withinMs: BACK_MS }, () =>
      answered() > before + 20 ? true : undefined
    )
  }
  await goesOn('the start')
  await t.test('crash/master and crash/slave kill by the pid that worker/list shows', async t => {
    await crashes(t, 'master')
    await goesOn('the death of the master')
    await crashes(t, 'slave')
    await goesOn('the death of a replica')
  })
  await t.test('from 2 replicas to 5 and back', async t => {
    await scale(t, 5)
    await goesOn('scaling up')
    await scale(t, 2)
    await goesOn('scaling down')
  })
  await t.test('kill -9 of the supervising orchestrator: the other goes on, no orphan', async t => {
    await supervisorDies(t)
    await goesOn('the death of an orchestrator')
  })
  await t.test('a restart of the engine', async t => {
    const { inSync } = await stack.healed()
    await stack.engine.stop()
    await stack.engine.start()
    const { inSync: now } = await stack.healed()
    // One that had more, not acknowledged, than who is elected without it diverges, and is replaced.
    const replaced = inSync.filter(id => !now.includes(id))
    const diverged = await divergedWorkers()
    t.strictSame(
      replaced.filter(id => !diverged.includes(id)),
      [],
      'who has not diverged goes on with the data it had'
    )
    t.ok(replaced.length < 2, `${replaced.length} of 3 replaced`)
    await goesOn('the restart')
  })
  await clients.stop()
  await clients.readAll()
  const { problems, changes, reads } = judge(clients.history, clients.unexpected)
  t.strictSame(problems, [])
  t.ok(changes.ok > 100 && reads.ok > 100, `${changes.ok} changes, ${reads.ok} reads`)
  await equalOnAllWorkers(t)
})

await t.test(
  'compose:update replaces all containers but those it cannot, and no request fails',
  async t => {
    const before = await stack.healed()
    const containers = await ownContainers()
    const riders = await Riders.start(t, stack.lb)
    const said = await stack.run('update', '--no-build')
    await riders.more(20)
    const after = await stack.healed()
    t.match(said, 'another worker is master')
    t.strictSame([...after.inSync].sort(), [...before.inSync].sort(), 'the same workers')
    const now = await ownContainers()
    t.notOk(
      containers.some(id => now.includes(id)),
      'in other containers'
    )
    const old = before.orchestrators.map(({ id }) => id)
    t.notOk(after.orchestrators.some(({ id }) => old.includes(id)))
    await riders.endWell(t)
  }
)

await t.test('compose:down keeps the data, and leaves nothing that runs', async t => {
  const rows = async () => (await read(stack, 'select count(*) from history_registers')).rows
  const kept = await rows()
  const volumes = async () => (await stack.left()).filter(name => !name.startsWith('/'))
  const before = (await volumes()).length
  await stack.run('down')
  t.strictSame(
    (await stack.left()).filter(name => name.startsWith('/')),
    [],
    'no container'
  )
  t.equal((await volumes()).length, before - 1, 'but the network, all is there')
  await stack.up()
  await stack.healed()
  t.strictSame(await rows(), kept)
  await equalOnAllWorkers(t)
})

await t.test('compose:down --data leaves nothing at all', async t => {
  await stack.run('down', '--data')
  t.strictSame(await stack.left(), [])
})

async function crashes(t: Test, what: 'master' | 'slave'): Promise<void> {
  const before = await stack.healed()
  const list = (await call(`GET ${stack.url}/api/v1/worker/list`)).body as number[]
  const { status, body } = await stack.call(`POST /crash/${what}`)
  t.equal(status, 200)
  const [pid = 0] = (body as string[]).map(Number)
  t.ok(list.includes(pid), 'a pid of this machine')
  const after = await stack.healed(3, [pid])
  t.equal(after.term > before.term, what === 'master', 'an election where the master died')
}

async function scale(t: Test, count: number): Promise<void> {
  const startedAtMs = performance.now()
  t.equal((await stack.call('PUT /cluster/replicas', { count })).status, 200)
  await stack.healed(count + 1)
  t.comment(`${count} replicas after ${Math.round(performance.now() - startedAtMs)} ms`)
  await until('no worker too many', { withinMs: BACK_MS }, async () =>
    (await ownContainers()).length === count + 1 ? true : undefined
  )
}

async function supervisorDies(t: Test): Promise<void> {
  const before = await stack.healed()
  const containers = await ownContainers()
  const service = await serviceOf(before)
  const others = service === 'orchestrator-1' ? stack.url2 : stack.url
  await stack.kill(service)
  await until('the other to supervise', { withinMs: BACK_MS }, async () => {
    const { supervisor } = await stack.now(others)
    return supervisor !== null && supervisor !== before.supervisor ? true : undefined
  })
  await until('both to be there', { withinMs: BACK_MS }, async () =>
    (await stack.now(others)).orchestrators.length === 2 ? true : undefined
  )
  await stack.healed()
  t.strictSame(await ownContainers(), containers, 'no worker was started again')
}

async function serviceOf({ supervisor, orchestrators }: Seen): Promise<string> {
  const host = new URL(orchestrators.find(({ id }) => id === supervisor)?.http ?? '').hostname
  const { Config } = await stack.engine.docker.getContainer(host).inspect()
  return Config.Labels['com.docker.compose.service'] ?? ''
}

/** As far as the orchestrators that run now have seen. */
async function divergedWorkers(): Promise<string[]> {
  const seen = [stack.url, stack.url2].map(url =>
    until(`what ${url} has seen`, { withinMs: BACK_MS }, () => timelineOf(url))
  )
  const diverged = (await Promise.all(seen)).flat().filter(({ type }) => type === 'diverged')
  return diverged.flatMap(({ workerId = [] }) => workerId)
}

interface Happening {
  readonly type: string
  readonly workerId?: string
}

/** What the stream for the dashboard begins with. */
async function timelineOf(url: string): Promise<readonly Happening[]> {
  const headers = { authorization: `Bearer ${stack.token}` }
  const { body } = await fetch(`${url}/api/v1/cluster/stream`, { headers })
  let text = ''
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    const history = /^data: (.*)\n\n/m.exec(text)?.[1]
    if (history !== undefined) return (JSON.parse(history) as { timeline: Happening[] }).timeline
  }
  throw new Error(`${url} ended its stream: ${text}`)
}

async function ownContainers(): Promise<string[]> {
  const filters = { label: [`convoy.cluster=${stack.cluster}`] }
  return (await stack.engine.docker.listContainers({ all: true, filters }))
    .map(({ Id }) => Id)
    .sort()
}

async function equalOnAllWorkers(t: Test): Promise<void> {
  const { status, body } = await stack.call('POST /cluster/verify')
  t.equal(status, 200)
  const { workers, leftOut } = body as { workers: { equal: boolean }[]; leftOut: object[] }
  t.strictSame(leftOut, [], 'all were asked')
  t.strictSame(
    workers.map(({ equal }) => equal),
    [true, true, true],
    'all hold the same rows'
  )
}
