/**
 * One cluster on two engines, of which the second joins while it runs, its workers in the
 * networks of their machines (here both are this one). An engine that is lost takes its
 * workers with it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Ports } from '../../local/processes/ports.ts'
import { WatchedProcess } from '../../local/processes/watched.ts'
import { programSpec } from '../../local/programs.ts'
import { type ClusterNow, isWhole } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'
import { call } from '../../testing/convoy.ts'
import { startServices } from '../../testing/environment.ts'
import { until } from '../../testing/wait.ts'
import { Writers } from '../system/writers.ts'
import { startEngine, type TestEngine } from './engine.ts'
import { givenEngine } from './test-stack.ts'

const IMAGE = 'convoy-worker:latest'
const LOST_MS = 2_000
const HEALED_MS = 90_000

const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const one = givenEngine()
const two = await startEngine()
t.teardown(() => two.remove())
copyImage(one, two)
t.teardown(() => removeWorkers(one)) // When nobody starts them again: teardowns run backwards.
const url = await startOrchestrator(t)

await t.test(
  'an engine joins a busy cluster: the next workers go where the fewest are',
  async t => {
    await healed(2)
    const writers = await Writers.start(t, { url }, { clients: 4, perS: 20 })
    const join = (body: object) => call(`POST ${url}/api/v1/cluster/hosts`, { body })
    const joined = await join({ name: 'two', socket: two.socket })
    t.equal(joined.status, 200)
    t.strictSame((joined.body as { missing: object[] }).missing, [])
    const { body: hosts } = await call(`GET ${url}/api/v1/cluster/hosts`)
    t.match(hosts, [
      { url: one.host, reached: true },
      { name: 'two', url: two.host }
    ])

    t.equal((await call(`PUT ${url}/api/v1/cluster/replicas`, { body: { count: 3 } })).status, 200)
    await healed(4)
    t.strictSame(
      await Promise.all([workersOn(one), workersOn(two)]),
      [2, 2],
      'copied across engines'
    )
    t.strictSame((await writers.stop()).errors, [])

    const refused = { status: 409, body: { code: 'CONVOY_HOST_REFUSED' } }
    t.match(await join({ name: 'two', socket: '/nowhere.sock' }), refused)
    t.match(await join({ name: 'three', url: two.host }), refused)
    t.match(await join({ name: 'three', url: 'http://three' }), { status: 400 })
    t.match(await join({ name: 'three', url: two.host, socket: two.socket }), { status: 400 })
  }
)

await t.test(
  'an engine that is lost: its workers are started elsewhere, nothing is lost',
  async t => {
    const writers = await Writers.start(t, { url }, { clients: 4, perS: 20, retry: true })
    await writers.more(40)
    const dead = await pidsOn(two)
    await two.crash()
    await healed(4, dead)
    t.equal(await workersOn(one), 4)
    await writers.more(40)
    const { acknowledged, errors } = await writers.stop()
    t.strictSame(errors, [])
    await onceInAll(t, acknowledged)
  }
)

await t.test('when it is back, its old workers are of no use, and go', async t => {
  await two.start()
  await until('no volume too many', { withinMs: HEALED_MS }, async () => {
    const volumes = await Promise.all([volumesOn(one), volumesOn(two)])
    return volumes[0] + volumes[1] === 4 ? true : undefined
  })
  await healed(4)
  const { body } = await call(`POST ${url}/api/v1/cluster/verify`)
  t.ok((body as { workers: { equal: boolean }[] }).workers.every(({ equal }) => equal))
})

/** Watched, as any other: one that dies is started again. */
async function startOrchestrator(t: Test): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'orchestrator-'))
  const ports = new Ports()
  const port = await ports.take()
  const { CONVOY_CLUSTER, CONVOY_AMQP_URL, CONVOY_ZOOKEEPER, CONVOY_ZOOKEEPER_AUTH } = services
  const settings = {
    ...{ CONVOY_CLUSTER, CONVOY_AMQP_URL, CONVOY_ZOOKEEPER, CONVOY_ZOOKEEPER_AUTH },
    ...{ CONVOY_INIT: 'true', CONVOY_REPLICAS: '1', CONVOY_RUNTIME: 'docker' },
    CONVOY_DOCKER_HOSTS: one.host,
    CONVOY_DOCKER_NETWORK: 'host',
    CONVOY_DOCKER_IMAGE: IMAGE,
    CONVOY_DOCKER_LOST_MS: String(LOST_MS),
    CONVOY_CLONE_PASSWORD: 'only-for-this-test',
    CONVOY_STORE_SECRET: 'only-for-this-test'
  }
  const instance = { name: 'orchestrator', program: 'orchestrator', port } as const
  const orchestrator = new WatchedProcess(programSpec(instance, settings), {
    ...{ logsDir: join(dir, 'logs'), pidsDir: join(dir, 'pids'), cwd: dir },
    say: line => t.comment(line)
  })
  t.teardown(async () => {
    await orchestrator.stop()
    await ports[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  })
  await orchestrator.untilReady(HEALED_MS)
  return `http://127.0.0.1:${port}`
}

function copyImage(from: TestEngine, to: TestEngine): void {
  const pipe = 'docker --host "$0" save "$1" | docker --host "$2" load'
  execFileSync('sh', ['-c', pipe, from.host, IMAGE, to.host], { stdio: 'ignore' })
}

function healed(workers: number, dead: readonly number[] = []): Promise<ClusterNow> {
  return until(`${workers} workers in sync`, { withinMs: HEALED_MS }, async () => {
    const now = (await call(`GET ${url}/api/v1/cluster`)).body as ClusterNow
    return isWhole(now, { dead, wanted: workers }) ? now : undefined
  })
}

/** As the cluster answers, whose workers hold the same rows. */
async function onceInAll(t: Test, acknowledged: readonly string[]): Promise<void> {
  const { rows } = await read({ url }, 'select value, count(*) as n from written group by value')
  const counts = new Map(rows.map(({ value, n }) => [String(value), Number(n)]))
  const lost = acknowledged.filter(value => !counts.has(value))
  const doubled = [...counts].filter(([, n]) => n > 1)
  t.strictSame({ lost, doubled }, { lost: [], doubled: [] }, 'nothing is lost or doubled')
}

function ours() {
  return { label: [`convoy.cluster=${services.CONVOY_CLUSTER}`] }
}

async function workersOn({ docker }: TestEngine): Promise<number> {
  return (await docker.listContainers({ filters: ours() })).length
}

async function pidsOn({ docker }: TestEngine): Promise<number[]> {
  const running = await docker.listContainers({ filters: ours() })
  const states = running.map(({ Id }) => docker.getContainer(Id).inspect())
  return (await Promise.all(states)).map(({ State }) => State.Pid)
}

async function volumesOn({ docker }: TestEngine): Promise<number> {
  return (await docker.listVolumes({ filters: ours() })).Volumes.length
}

async function removeWorkers({ docker }: TestEngine): Promise<void> {
  const containers = await docker.listContainers({ all: true, filters: ours() })
  for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true })
  const { Volumes } = await docker.listVolumes({ filters: ours() })
  for (const { Name } of Volumes) await docker.getVolume(Name).remove()
}
