/**
 * Telling and being told, with the real RabbitMQ and ZooKeeper.
 */
import t, { type Test } from 'tap'
import { startServices } from '../../testing/environment.ts'
import { until } from '../../testing/wait.ts'
import { CONFIG, INSTANCES } from '../../wire/znodes.ts'
import { type AmqpLink, openAmqp } from '../amqp.ts'
import { openLog } from '../log.ts'
import { openZooKeeper, type ZooKeeper } from '../zookeeper.ts'
import { Broadcast, type Instances } from './broadcast.ts'
import { Gate } from './gate.ts'
import { listenToControls } from './listener.ts'
import type { InstanceNode } from './shapes.ts'

const WITHIN = { withinMs: 20_000 }
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const log = openLog({ service: 'test', level: 'silent' })

const zookeeper = await openZooKeeper({
  hosts: services.CONVOY_ZOOKEEPER,
  auth: services.CONVOY_ZOOKEEPER_AUTH,
  cluster: services.CONVOY_CLUSTER,
  sessionTimeoutMs: 2_000,
  log
})
t.teardown(() => zookeeper[Symbol.asyncDispose]())

/** Resolves when there is a link. */
async function dial(t: Test, name: string, setup: (link: AmqpLink) => void): Promise<void> {
  const amqp = openAmqp({
    url: services.CONVOY_AMQP_URL,
    name,
    log,
    setup: async link => setup(link),
    down() {}
  })
  t.teardown(() => amqp[Symbol.asyncDispose]())
  await until(`a link of ${name}`, WITHIN, () => (amqp.up ? true : undefined))
}

/** @param hears whether it hears the exchange; else it has its watch alone */
async function listener(t: Test, id: string, { hears = true } = {}) {
  const gate = new Gate()
  const level = { log: openLog({ service: 'test', level: 'silent' }), level: 'silent' }
  const instance = { id, service: 'worker', pid: 7 } as const
  const listening = await listenToControls({ zookeeper, instance, gate, ...level })
  t.teardown(() => listening[Symbol.asyncDispose]())
  await until(`${id} in ZooKeeper`, WITHIN, async () =>
    (await zookeeper.children(INSTANCES)).includes(id) ? true : undefined
  )
  if (hears) await dial(t, id, link => listening.attach(link))
  const told: (readonly [number | undefined, boolean])[] = []
  listening.on(({ workers }, frozen) => told.push([workers.connections, frozen]))
  return { log: level.log, gate, told }
}

/** Of an orchestrator that sees what ZooKeeper shows, once that is `ids`. */
async function broadcast(t: Test, ...ids: string[]): Promise<Broadcast> {
  let instances: Instances = new Map()
  const listeners = new Set<() => void>()
  const watch = zookeeper.watchChildren(INSTANCES, nodes => {
    const parsed = [...nodes].map(
      ([id, { data }]) => [id, JSON.parse(data) as InstanceNode] as const
    )
    instances = new Map(parsed)
    for (const listener of listeners) listener()
  })
  t.teardown(() => watch[Symbol.dispose]())
  const view = {
    get now() {
      return { instances }
    },
    on(listener: () => void) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => listeners.delete(listener) }
    }
  }
  const telling = new Broadcast({ id: 'o', view, log, withinMs: 3_000 })
  await dial(t, 'o', link => telling.attach(link))
  const shown = () => [...instances.keys()].sort().join() === ids.join()
  await until('those who are to be told', WITHIN, () => (shown() ? true : undefined))
  return telling
}

async function store(zookeeper: ZooKeeper, controls: object): Promise<number> {
  const data = JSON.stringify({ controls })
  const node = await zookeeper.read(CONFIG)
  if (node !== undefined) return (await zookeeper.write(CONFIG, data, node.version)) ?? -1
  await zookeeper.create(CONFIG, data)
  return 0
}

const idsOf = (instances: readonly { id: string }[]) => instances.map(({ id }) => id).sort()

await t.test('all who run take what is stored, by whichever way they hear of it', async t => {
  const one = await listener(t, 'one')
  const two = await listener(t, 'two', { hears: false })
  const telling = await broadcast(t, 'one', 'two')
  const controls = { workers: { connections: 9 }, logLevels: { worker: 'warn' }, disabled: ['x'] }
  const version = await store(zookeeper, { ...controls, frozen: { two: 'worker' } })
  const { acknowledged, missing } = await telling.tell(version)
  t.strictSame([idsOf(acknowledged), missing], [['one', 'two'], []])
  t.strictSame(one.told.at(-1), [9, false])
  t.strictSame(two.told.at(-1), [9, true])
  t.equal(one.log.level, 'warn')
  t.throws(() => one.gate.check('x'), { code: 'CONVOY_OPERATION_DISABLED' })
  t.throws(() => two.gate.check('y'), { code: 'CONVOY_FROZEN' })

  await telling.tell(await store(zookeeper, {}))
  t.strictSame(two.told.at(-1), [undefined, false])
  t.equal(one.log.level, 'silent', 'that of the environment again')
  t.doesNotThrow(() => one.gate.check('x'))
})

await t.test('who starts later has it before it serves', async t => {
  await store(zookeeper, { workers: { connections: 5 } })
  const { told } = await listener(t, 'late', { hears: false })
  t.strictSame(told, [[5, false]])
})

await t.test('who runs and says nothing is missing', async t => {
  await listener(t, 'one')
  const silent: InstanceNode = { service: 'lb', pid: 8, version: -1, operations: [] }
  const kept = zookeeper.keep(`${INSTANCES}/silent`, JSON.stringify(silent))
  t.teardown(() => kept[Symbol.asyncDispose]())
  const telling = await broadcast(t, 'one', 'silent')
  const { acknowledged, missing } = await telling.tell(await store(zookeeper, {}))
  t.strictSame([idsOf(acknowledged), idsOf(missing)], [['one'], ['silent']])
})

await t.test('what makes no sense changes nothing', async t => {
  await store(zookeeper, { workers: { connections: 4 } })
  const { told } = await listener(t, 'one')
  const telling = await broadcast(t, 'one')
  const wrong = await store(zookeeper, { workers: { connections: 'many' } })
  t.strictSame((await telling.tell(wrong)).missing, [])
  t.strictSame(told.at(-1), [4, false])
})
