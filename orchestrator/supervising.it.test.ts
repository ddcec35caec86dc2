/**
 * Supervising against a real ZooKeeper: who is elected, what is made and what is
 * cleaned up there. Workers are places in memory, so that the test decides who dies.
 */
import t, { type Test } from 'tap'
import { openLog } from '../platform/log.ts'
import { pidSpace } from '../platform/process-identity.ts'
import { registerOrchestrator } from '../platform/registration.ts'
import { openZooKeeper, type ZooKeeper } from '../platform/zookeeper.ts'
import { startServices } from '../testing/environment.ts'
import { ORCHESTRATORS, type OrchestratorNode, STATE, SUPERVISOR, WORKERS } from '../wire/znodes.ts'
import { ClusterView } from './cluster-view.ts'
import { foundCluster } from './found.ts'
import type { Death, Place, Runtime } from './runtimes/runtime.ts'
import { Supervising } from './supervising.ts'

const log = openLog({ service: 'test', level: 'silent' })
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())

let clusters = 0

async function freshCluster(t: Test): Promise<() => Promise<ZooKeeper>> {
  const cluster = `c${clusters++}`
  return async () => {
    const zookeeper = await openZooKeeper({
      hosts: services.CONVOY_ZOOKEEPER,
      auth: services.CONVOY_ZOOKEEPER_AUTH,
      cluster,
      sessionTimeoutMs: 2_000,
      log
    })
    t.teardown(() => zookeeper[Symbol.asyncDispose]())
    return zookeeper
  }
}

class PlacesInMemory implements Runtime {
  readonly places = new Map<string, Place>()
  readonly done: string[] = []
  spare: boolean | null = null
  looks = 0
  #tell: (death: Death) => void = () => {}

  async list() {
    return [...this.places.values()]
  }
  attend() {
    this.looks += 1
    return this.list()
  }
  onDeath(listener: (death: Death) => void) {
    this.#tell = listener
    return { [Symbol.dispose]: () => {} }
  }
  async create() {
    const name = `p${this.places.size}`
    this.done.push(`create ${name}`)
    this.places.set(name, { name, workerId: null, pid: 100 + this.places.size })
    return name
  }
  async start(name: string) {
    this.done.push(`start ${name}`)
    this.places.set(name, { name, workerId: name, pid: 200 + this.done.length })
  }
  keepSpare(wanted: boolean) {
    this.spare = wanted
  }
  async discard(name: string, mayGo: () => Promise<boolean>) {
    if (!(await mayGo())) return
    this.done.push(`discard ${name}`)
    this.places.delete(name)
  }
  async kill() {
    return null
  }
  async stop() {
    this.done.push('stop')
  }
  async [Symbol.asyncDispose]() {}

  die(name: string) {
    const place = this.places.get(name)
    if (place === undefined || place.pid === null) throw new Error(`nothing runs in ${name}`)
    this.places.set(name, { ...place, pid: null })
    this.#tell({ name, workerId: place.workerId, pid: place.pid })
  }
}

async function orchestrator(t: Test, id: string, zookeeper: ZooKeeper, stopWorkers = false) {
  const view = new ClusterView(zookeeper, log)
  const runtime = new PlacesInMemory()
  const supervising = new Supervising({
    ...{ orchestratorId: id, zookeeper, view, runtime, log, stopWorkers },
    wanted: () => 2,
    brokerUp: () => true
  })
  t.teardown(async () => {
    await supervising[Symbol.asyncDispose]()
    view[Symbol.dispose]()
  })
  return { view, runtime, supervising }
}

async function until(is: () => unknown, what: string): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await is())) {
    if (performance.now() > endMs) throw new Error(`waited too long for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const worker = (pid: number, role: string) =>
  JSON.stringify({ pid, role, term: 1, diverged: false })

t.test('a cluster is made once, and never over workers with data', async t => {
  const zookeeper = await (await freshCluster(t))()
  const runtime = new PlacesInMemory()
  await foundCluster({ zookeeper, runtime, log })
  const made = await zookeeper.read(STATE)
  t.match(JSON.parse(made?.data ?? ''), { term: 0, master: null, inSync: [] })
  await foundCluster({ zookeeper, runtime, log })
  t.strictSame((await zookeeper.read(STATE))?.data, made?.data)

  await zookeeper.remove(STATE)
  runtime.places.set('a', { name: 'a', workerId: 'w', pid: null })
  t.equal(await foundCluster({ zookeeper, runtime, log }), false)
  t.equal(await zookeeper.read(STATE), undefined)
})

t.test('the first worker founds, the second follows when that leads', async t => {
  const zookeeper = await (await freshCluster(t))()
  const { runtime } = await orchestrator(t, 'o1', zookeeper)
  t.strictSame(runtime.done, [], 'nothing while there is no cluster')
  await foundCluster({ zookeeper, runtime, log })
  await until(() => runtime.done.length === 1, 'the founder')
  const state = { clusterId: 'c', term: 1, master: 'p0', inSync: ['p0'] }
  runtime.places.set('p0', { name: 'p0', workerId: 'p0', pid: 100 })
  await zookeeper.create(`${WORKERS}/p0`, worker(100, 'master'), { ephemeral: true })
  await zookeeper.write(STATE, JSON.stringify(state), 0)
  await until(() => runtime.done.length === 2, 'the second')
  t.strictSame(runtime.done, ['create p0', 'create p1'])
})

t.test('a dead worker is taken out of ZooKeeper at once, a successor is not', async t => {
  const connect = await freshCluster(t)
  const [zookeeper, workers] = [await connect(), await connect()]
  const state = { clusterId: 'c', term: 1, master: 'a', inSync: ['a', 'b'] }
  await zookeeper.create(STATE, JSON.stringify(state))
  await workers.create(`${WORKERS}/a`, worker(11, 'master'), { ephemeral: true })
  await workers.create(`${WORKERS}/b`, worker(99, 'replica'), { ephemeral: true })
  const { runtime } = await orchestrator(t, 'o1', zookeeper)
  runtime.places.set('a', { name: 'a', workerId: 'a', pid: 11 })
  runtime.places.set('b', { name: 'b', workerId: 'b', pid: 22 })
  runtime.die('b')
  runtime.places.set('b', { name: 'b', workerId: 'b', pid: 99 })
  runtime.die('a')
  await until(() => runtime.done.length > 0, 'one to be started again')
  await until(async () => !(await zookeeper.children(WORKERS)).includes('a'), 'a to be gone')
  t.strictSame(await zookeeper.children(WORKERS), ['b'], 'registered by another process')
  t.strictSame(runtime.done, ['start a'])
})

t.test('one orchestrator supervises, and another takes over when it ends', async t => {
  const connect = await freshCluster(t)
  const [one, two] = [await connect(), await connect()]
  const first = await orchestrator(t, 'o1', one)
  await until(() => first.supervising.supervises, 'the first to be elected')
  const second = await orchestrator(t, 'o2', two)
  await until(() => second.view.now.supervisor === 'o1', 'the second to see it')
  t.equal(second.supervising.supervises, false)
  await first.supervising[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
  await until(() => second.supervising.supervises, 'the second to take over')
})

t.test('the workers are stopped with the last orchestrator, whoever supervises', async t => {
  const connect = await freshCluster(t)
  const [one, two] = [await connect(), await connect()]
  const first = await orchestrator(t, 'o1', one, true)
  await until(() => first.supervising.supervises, 'the first to be elected')
  const second = await orchestrator(t, 'o2', two, true)
  const registered = [
    registerOrchestrator(one, { id: 'o1', http: 'http://a' }),
    registerOrchestrator(two, { id: 'o2', http: 'http://b' })
  ]
  await until(() => second.view.now.orchestrators.size === 2, 'both to be registered')
  await registered[0]?.[Symbol.asyncDispose]()
  await first.supervising[Symbol.asyncDispose]()
  t.strictSame(first.runtime.done, [], 'the second is there')
  await registered[1]?.[Symbol.asyncDispose]()
  await second.supervising[Symbol.asyncDispose]()
  t.strictSame(second.runtime.done, ['stop'])
})

/** A registered orchestrator whose session lives on in ZooKeeper, though its process does not. */
async function deadOrchestrator(zookeeper: ZooKeeper, id: string): Promise<void> {
  const node: OrchestratorNode = {
    ...{ http: 'http://a', pid: process.pid, startTime: '1', pidSpace: pidSpace() }
  }
  await zookeeper.create(`${ORCHESTRATORS}/${id}`, JSON.stringify(node), { ephemeral: true })
}

t.test('one that is known to be dead is followed at once, before its session ends', async t => {
  const connect = await freshCluster(t)
  const [dead, one, two] = [await connect(), await connect(), await connect()]
  await deadOrchestrator(dead, 'o0')
  await dead.create(SUPERVISOR, 'o0', { ephemeral: true })
  const others = [await orchestrator(t, 'o1', one), await orchestrator(t, 'o2', two)]
  await until(() => others.some(({ supervising }) => supervising.supervises), 'one of them')
  t.ok(dead.connected, 'its session lives')
  t.strictSame(await one.children(ORCHESTRATORS), [])

  await deadOrchestrator(dead, 'o9')
  await until(
    async () => (await one.children(ORCHESTRATORS)).length === 0,
    'one that did not supervise to be taken out'
  )
})

t.test('a worker that died while nobody watched is taken out of ZooKeeper', async t => {
  const connect = await freshCluster(t)
  const [zookeeper, workers] = [await connect(), await connect()]
  const state = { clusterId: 'c', term: 1, master: 'a', inSync: ['a', 'b'] }
  await zookeeper.create(STATE, JSON.stringify(state))
  await workers.create(`${WORKERS}/a`, worker(11, 'master'), { ephemeral: true })
  await workers.create(`${WORKERS}/b`, worker(22, 'replica'), { ephemeral: true })
  const { runtime } = await orchestrator(t, 'o1', zookeeper)
  runtime.places.set('a', { name: 'a', workerId: 'a', pid: null })
  runtime.places.set('b', { name: 'b', workerId: 'b', pid: 22 })
  await until(() => runtime.done.includes('start a'), 'it to be started again')
  t.strictSame(await zookeeper.children(WORKERS), ['b'])
})

t.test('whoever acts on an old view finds out that another was elected', async t => {
  const connect = await freshCluster(t)
  const [one, other] = [await connect(), await connect()]
  const state = { clusterId: 'c', term: 1, master: 'a', inSync: ['a'] }
  await one.create(STATE, JSON.stringify(state))
  const { runtime, supervising, view } = await orchestrator(t, 'o1', one)
  await until(() => supervising.supervises, 'it to be elected')
  // Its view stands still from here on, as that of a process that was frozen and wakes.
  view[Symbol.dispose]()
  await other.remove(SUPERVISOR)
  await other.create(SUPERVISOR, 'o2', { ephemeral: true })
  runtime.places.set('a', { name: 'a', workerId: 'a', pid: null })
  const looks = runtime.looks
  await until(() => runtime.looks > looks + 2, 'it to look again')
  t.equal(supervising.supervises, true, 'it believes so')
  t.strictSame(runtime.done, [])
})

t.test('the supervisor keeps a spare for two workers that serve, and nobody else does', async t => {
  const open = await freshCluster(t)
  const zookeeper = await open()
  const inSync = ['a', 'b']
  await zookeeper.create(STATE, JSON.stringify({ clusterId: 'c', term: 1, master: 'a', inSync }))
  await zookeeper.create(`${WORKERS}/a`, worker(1, 'master'), { ephemeral: true })
  await zookeeper.create(`${WORKERS}/b`, worker(2, 'replica'), { ephemeral: true })
  const { runtime, supervising } = await orchestrator(t, 'one', zookeeper)
  for (const [i, name] of inSync.entries()) {
    runtime.places.set(name, { name, workerId: name, pid: i + 1 })
  }
  await until(() => runtime.spare === true, 'a spare')
  t.strictSame(runtime.done, [])
  t.ok(supervising.supervises)
  const other = await orchestrator(t, 'two', await open())
  await until(() => other.runtime.spare !== null, 'another one to look')
  t.equal(other.runtime.spare, false)
})
