/**
 * The Docker runtime with a real engine: what it makes, what it tells, and what becomes
 * of it when the engine, the image, a name or a volume fails it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Ports } from '../../local/processes/ports.ts'
import { connectDocker } from '../../orchestrator/runtimes/docker/connect.ts'
import type { DockerSettings } from '../../orchestrator/runtimes/docker/containers.ts'
import type { Death, Runtime } from '../../orchestrator/runtimes/runtime.ts'
import { openLog } from '../../platform/log.ts'
import { until } from '../../testing/wait.ts'
import { makeCertificates } from './certificates.ts'
import { startEngine } from './engine.ts'
import { loadStandIn, STAND_IN } from './stand-in.ts'

const WITHIN = { withinMs: 20_000 }
const log = openLog({ service: 'test', level: 'silent' })
const yes = async () => true

const engine = await startEngine()
t.teardown(() => engine.remove())
loadStandIn(engine)
const other = await engine.docker.createContainer({ name: 'other', Image: STAND_IN })

let clusters = 0
const newCluster = () => `c${clusters++}`

interface Options {
  readonly cluster?: string
  readonly hosts?: string
  readonly certs?: string
  readonly settings?: Partial<DockerSettings>
}

function openRuntime(
  t: Test,
  { cluster = newCluster(), hosts = engine.host, certs, settings = {} }: Options = {}
) {
  const deaths: Death[] = []
  const runtime = connectDocker({
    hosts,
    certs,
    settings: {
      cluster,
      image: STAND_IN,
      network: 'none',
      memoryMiB: 64,
      cpus: 0.5,
      environment: {},
      ...settings
    },
    lostMs: 1_000,
    log
  })
  runtime.onDeath(death => deaths.push(death))
  t.teardown(() => runtime[Symbol.asyncDispose]())
  return { runtime, deaths, cluster }
}

/** @returns the place, once the worker there has shown its id */
async function startOne(runtime: Runtime) {
  const name = await runtime.create()
  return until(`the worker in ${name}`, WITHIN, async () => {
    const place = (await runtime.attend()).find(one => one.name === name)
    if (place?.workerId == null || place.pid === null) return undefined
    return { name, workerId: place.workerId, pid: place.pid }
  })
}

const one = async (runtime: Runtime) => (await runtime.attend())[0]

function ownOf(cluster: string) {
  const filters = { label: [`convoy.cluster=${cluster}`] }
  return Promise.all([
    engine.docker.listContainers({ all: true, filters }),
    engine.docker.listVolumes({ filters })
  ]).then(([containers, { Volumes }]) => ({ containers, volumes: Volumes }))
}

await t.test(
  'a container has its limits, its labels, and nothing that it does not need',
  async t => {
    const { runtime, cluster } = openRuntime(t, {
      settings: { environment: { CONVOY_TOLD: 'hello' } }
    })
    const { name, pid } = await startOne(runtime)
    t.ok(existsSync(`/proc/${pid}`), 'the pid is that of this machine')
    const { Config, HostConfig } = await engine.docker
      .getContainer(`convoy-${cluster}-${name}`)
      .inspect()
    t.match(Config.Labels, { 'convoy.cluster': cluster, 'convoy.place': name })
    t.ok(Config.Env.includes('CONVOY_TOLD=hello'))
    t.ok(Config.Env.includes(`CONVOY_WORKER_HOST=convoy-${cluster}-${name}`))
    t.match(HostConfig, {
      Memory: 64 * 1024 * 1024,
      CpuQuota: 50_000,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      ReadonlyRootfs: true,
      CapDrop: ['ALL']
    })
    t.match(Config.Healthcheck?.Test, ['CMD', 'node', 'compose/health.mjs', /alive\.sock$/])
  }
)

await t.test('a worker is told its container and the pid that others see', async t => {
  const { runtime, cluster } = openRuntime(t)
  const { name, pid } = await startOne(runtime)
  const { Id, Config } = await engine.docker.getContainer(`convoy-${cluster}-${name}`).inspect()
  const life = Config.Env.find(line => line.startsWith('CONVOY_LIFE='))?.split('=')[1]
  t.strictSame(JSON.parse(inVolume(cluster, name, 'container.json')), { life, container: Id, pid })
})

await t.test(
  'a death is told once, and the next start has the data, in a new container',
  async t => {
    const { runtime, deaths, cluster } = openRuntime(t)
    const { name, workerId, pid } = await startOne(runtime)
    const [before] = (await ownOf(cluster)).containers
    t.equal(await runtime.kill(workerId), pid)
    await until('the death', WITHIN, () => deaths[0])
    t.strictSame(await one(runtime), { name, workerId, pid: null })
    t.strictSame(deaths, [{ name, workerId, pid }])
    t.equal(await runtime.kill(workerId), null)
    await runtime.start(name)
    const again = await one(runtime)
    t.equal(again?.workerId, workerId)
    t.not(again?.pid, pid)
    await runtime.start(name)
    t.strictSame(await one(runtime), again, 'one that runs is not started again')
    const { containers } = await ownOf(cluster)
    t.equal(containers.length, 1)
    t.not(containers[0]?.Id, before?.Id)
  }
)

await t.test('another orchestrator finds what runs, and tells of its deaths', async t => {
  const { runtime, cluster } = openRuntime(t)
  const started = await startOne(runtime)
  await runtime[Symbol.asyncDispose]()
  const second = openRuntime(t, { cluster })
  t.strictSame(await second.runtime.attend(), [started])
  process.kill(started.pid, 'SIGKILL')
  await until('the death', WITHIN, () => second.deaths[0])
  t.strictSame(second.deaths, [started])
})

await t.test('a discarded place is gone, with container and volume', async t => {
  const { runtime, cluster } = openRuntime(t)
  const { name } = await startOne(runtime)
  await runtime.discard(name, async () => false)
  t.equal((await runtime.list()).length, 1)
  let asked = 0
  await runtime.discard(name, async () => asked++ === 0)
  t.equal((await ownOf(cluster)).volumes.length, 1, 'kept when it may not go any more')
  await runtime.discard(name, yes)
  t.strictSame(await ownOf(cluster), { containers: [], volumes: [] })
  t.strictSame(await runtime.list(), [])
})

await t.test('a volume whose container somebody removed is still known, with its id', async t => {
  const { runtime, cluster } = openRuntime(t)
  const { name, workerId } = await startOne(runtime)
  await engine.docker.getContainer(`convoy-${cluster}-${name}`).remove({ force: true })
  const second = openRuntime(t, { cluster })
  t.strictSame(await second.runtime.list(), [{ name, workerId, pid: null }])
  await second.runtime.start(name)
  t.match(await one(second.runtime), { name, workerId, pid: Number })
})

await t.test('stopping asks the workers, the last one last, and kills the stubborn', async t => {
  const { runtime, cluster } = openRuntime(t, {
    settings: { environment: { CONVOY_STUBBORN: '1' } }
  })
  const workers = [await startOne(runtime), await startOne(runtime)]
  const last = workers[0]?.workerId ?? null
  await runtime.stop({ last, graceMs: 2_000 })
  const { containers } = await ownOf(cluster)
  t.strictSame(
    containers.map(({ State }) => State),
    ['exited', 'exited']
  )
  const endOf = async (name: string) => {
    const { State } = await engine.docker.getContainer(`convoy-${cluster}-${name}`).inspect()
    return Date.parse(State.FinishedAt)
  }
  t.ok((await endOf(workers[0]!.name)) > (await endOf(workers[1]!.name)))
})

await t.test('a missing image is told as a death each time, and leaves nothing behind', async t => {
  const { runtime, deaths, cluster } = openRuntime(t, { settings: { image: 'no-such-image' } })
  const name = await runtime.create()
  t.strictSame(deaths, [{ name, workerId: null, pid: null }])
  t.strictSame(await runtime.attend(), [{ name, workerId: null, pid: null }], 'it is still wanted')
  await runtime.start(name)
  t.equal(deaths.length, 2)
  t.strictSame(await ownOf(cluster), { containers: [], volumes: [] })
  await runtime.discard(name, yes)
  t.strictSame(await runtime.attend(), [])
})

await t.test('without the image, the data of a place stays and is known', async t => {
  const { runtime, cluster } = openRuntime(t)
  const { name, workerId } = await startOne(runtime)
  await runtime.kill(workerId)
  await runtime[Symbol.asyncDispose]()
  const second = openRuntime(t, { cluster, settings: { image: 'no-such-image' } })
  await second.runtime.start(name)
  t.strictSame(second.deaths, [{ name, workerId: null, pid: null }])
  t.strictSame(await second.runtime.list(), [{ name, workerId, pid: null }])
})

await t.test('a taken name is a death, and the container that has it is left alone', async t => {
  const { runtime, deaths, cluster } = openRuntime(t)
  const { name, workerId } = await startOne(runtime)
  await runtime.kill(workerId)
  const taken = `convoy-${cluster}-${name}`
  await engine.docker.getContainer(taken).remove({ force: true })
  const foreign = await engine.docker.createContainer({ name: taken, Image: STAND_IN })
  await until('the first death', WITHIN, () => deaths[0])
  await runtime.start(name)
  t.equal(deaths.length, 2)
  t.equal((await engine.docker.getContainer(taken).inspect()).Id, foreign.id)
  await foreign.remove()
  await runtime.start(name)
  t.match(await one(runtime), { name, workerId, pid: Number })
})

await t.test(
  'a container that cannot be started, or dies at once, is a death each time',
  async t => {
    const { runtime, deaths } = openRuntime(t, { settings: { network: 'no-such-network' } })
    const name = await runtime.create()
    t.strictSame(deaths, [{ name, workerId: null, pid: null }])
    const failing = openRuntime(t, { settings: { environment: { CONVOY_FAILING: 'a test' } } })
    await failing.runtime.attend()
    const dead = await failing.runtime.create()
    await until('the death', WITHIN, async () => {
      await failing.runtime.attend()
      return failing.deaths[0]
    })
    t.equal(failing.deaths[0]?.name, dead)
    t.match(await failing.runtime.list(), [{ name: dead, pid: null }])
  }
)

await t.test('a full volume: the worker runs on, untold, and nothing else is harmed', async t => {
  const { runtime, cluster } = openRuntime(t)
  const { name, workerId } = await startOne(runtime)
  await runtime.kill(workerId)
  const dir = join(engine.volumesDir, `convoy-${cluster}-${name}`, '_data')
  const kept = inVolume(cluster, name, 'worker.json')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'full', dir])
  execFileSync(
    'sh',
    ['-c', `printf '%s' '${kept}' > ${dir}/worker.json; cat /dev/zero > ${dir}/full; true`],
    { stdio: 'ignore' }
  )
  await runtime.start(name)
  t.match(await one(runtime), { name, workerId, pid: Number })
  await runtime.kill(workerId)
  await until('the end', WITHIN, async () =>
    (await one(runtime))?.pid === null ? true : undefined
  )
  execFileSync('umount', [dir])
  await runtime.start(name)
  t.match(await one(runtime), { name, workerId, pid: Number })
})

await t.test(
  'an engine that is away is dialled with backoff, and its deaths are told later',
  async t => {
    const { runtime, deaths } = openRuntime(t)
    const started = await startOne(runtime)
    await engine.kill()
    t.strictSame(await runtime.list(), [started], 'nothing is concluded')
    const { name } = started
    await runtime.start(name)
    t.strictSame(deaths, [{ name, workerId: null, pid: null }])
    const unseen = openRuntime(t)
    await t.rejects(unseen.runtime.list(), { name: 'EngineDownError' }, 'nor guessed')
    await engine.start()
    await until('the death', WITHIN, async () => {
      await runtime.attend()
      return deaths.find(({ pid }) => pid === started.pid)
    })
    await runtime.start(name)
    t.match(await one(runtime), { name, workerId: started.workerId, pid: Number })
  }
)

await t.test('an engine is reached over TCP with certificates, and not without', async t => {
  const certs = mkdtempSync(join(tmpdir(), 'certificates-'))
  t.teardown(() => rmSync(certs, { recursive: true }))
  makeCertificates(certs)
  await using ports = new Ports()
  const hosts = `tcp://127.0.0.1:${await ports.take()}`
  const pems = { tlscacert: 'ca.pem', tlscert: 'cert.pem', tlskey: 'key.pem' }
  const tls = Object.entries(pems).map(([name, file]) => `--${name}=${join(certs, file)}`)
  const remote = await startEngine('--tlsverify', ...tls, '--host', hosts)
  t.teardown(() => remote.remove())
  loadStandIn(remote)
  const { runtime } = openRuntime(t, { hosts, certs })
  const { name, pid } = await startOne(runtime)
  t.ok(existsSync(`/proc/${pid}`))
  await runtime.discard(name, yes)
  t.throws(() => openRuntime(t, { hosts }), /CONVOY_DOCKER_CERTS/)
})

await t.test('an engine that joins gets the next workers, and tells of their deaths', async t => {
  const { runtime, deaths } = openRuntime(t)
  const second = await startEngine()
  t.teardown(() => second.remove())
  const probe = async () => runtime.engines?.probe(second.host)
  await t.rejects(probe(), { message: /No such image/ })
  loadStandIn(second)
  await probe()
  await startOne(runtime)
  runtime.engines?.join(second.host)
  runtime.engines?.join(second.host) // Again does nothing.
  const { workerId, pid } = await startOne(runtime)
  t.match(runtime.engines?.list(), [
    { url: engine.host, reached: true, workers: 1 },
    { url: second.host, reached: true, workers: 1 }
  ])
  t.equal(runtime.engines?.list().length, 2)
  process.kill(pid, 'SIGKILL')
  await until('the death', WITHIN, () => deaths.find(death => death.workerId === workerId))
  t.throws(() => runtime.engines?.join('http://wrong'), TypeError)
})

await t.test('what has not the label is as it was', async t => {
  t.equal((await other.inspect()).State.Status, 'created')
})

function inVolume(cluster: string, name: string, file: string): string {
  const path = join(engine.volumesDir, `convoy-${cluster}-${name}`, '_data', file)
  return execFileSync('cat', [path], { encoding: 'utf8' })
}
