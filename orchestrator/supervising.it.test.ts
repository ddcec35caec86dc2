/**
 * Supervising against a real ZooKeeper: who is elected, what is made and what is
 * cleaned up there. Workers are places in memory, so that the test decides who dies.
 */
import t, { type Test } from 'tap'
import { openLog } from '../platform/log.ts'
import { STATE, WORKERS } from '../platform/wire/znodes.ts'
import { openZooKeeper, type ZooKeeper } from '../platform/zookeeper.ts'
import { startServices } from '../test/environment.ts'
import { ClusterView } from './cluster-view.ts'
import { ClusterHasDataError, foundCluster } from './found.ts'
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
  #tell: (death: Death) => void = () => {}

  async list() {
    return [...this.places.values()]
  }
  attend() {
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
  async discard(name: string) {
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
  await t.rejects(foundCluster({ zookeeper, runtime, log }), ClusterHasDataError)
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
  runtime.die('a')
  runtime.die('b')
  await until(() => runtime.done.length === 2, 'both to be started again')
  await until(async () => !(await zookeeper.children(WORKERS)).includes('a'), 'a to be gone')
  t.strictSame(await zookeeper.children(WORKERS), ['b'], 'registered by another process')
  t.strictSame(runtime.done.sort(), ['start a', 'start b'])
})

t.test('one orchestrator supervises, and another takes over when it ends', async t => {
  const connect = await freshCluster(t)
  const [one, two] = [await connect(), await connect()]
  const first = await orchestrator(t, 'o1', one, true)
  await until(() => first.supervising.supervises, 'the first to be elected')
  const second = await orchestrator(t, 'o2', two)
  await until(() => second.view.now.supervisor === 'o1', 'the second to see it')
  t.equal(second.supervising.supervises, false)
  await first.supervising[Symbol.asyncDispose]()
  t.strictSame(first.runtime.done, ['stop'])
  await one[Symbol.asyncDispose]()
  await until(() => second.supervising.supervises, 'the second to take over')
})
