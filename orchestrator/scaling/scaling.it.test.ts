/**
 * Scaling settings and decisions in a real ZooKeeper: what several orchestrators share,
 * and what outlives them.
 */
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { openLog } from '../../platform/log.ts'
import { openZooKeeper, type ZooKeeper } from '../../platform/zookeeper.ts'
import { startServices } from '../../testing/environment.ts'
import { SETTINGS } from '../../testing/fixtures/scaling.ts'
import { until } from '../../testing/wait.ts'
import { CONFIG, READS, SUPERVISOR } from '../../wire/znodes.ts'
import { ClusterView } from '../cluster-view.ts'
import { SettingsNotStoredError } from '../errors.ts'
import { ReadCounts } from './read-counts.ts'
import { Scaling } from './scaling.ts'
import type { ScalingSettings } from './settings.ts'
import { StoredSettings } from './stored-settings.ts'

const WITHIN = { withinMs: 15_000 }
const SHORT: ScalingSettings = { ...SETTINGS, windowS: 3, readsPerReplica: 10 }

const log = openLog({ service: 'test', level: 'silent' })
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())

let clusters = 0

interface Orchestrator extends AsyncDisposable {
  readonly zookeeper: ZooKeeper
  readonly view: ClusterView
  readonly settings: StoredSettings
  readonly reads: ReadCounts
  readonly scaling: Scaling
  supervise(): Promise<void>
}

/** The scaling part of an orchestrator of this cluster; ends with `t` at the latest. */
async function orchestrator(
  t: Test,
  { cluster, id, start = SHORT }: { cluster: string; id: string; start?: ScalingSettings }
): Promise<Orchestrator> {
  const opened = new AsyncDisposableStack()
  t.teardown(() => opened.disposeAsync())
  const zookeeper = opened.use(
    await openZooKeeper({
      hosts: services.CONVOY_ZOOKEEPER,
      auth: services.CONVOY_ZOOKEEPER_AUTH,
      ...{ cluster, sessionTimeoutMs: 2_000, log }
    })
  )
  const view = opened.use(new ClusterView(zookeeper, log))
  const reads = opened.use(new ReadCounts(zookeeper, id))
  const settings = new StoredSettings({ zookeeper, view, start, log })
  const scaling = opened.use(
    new Scaling({ orchestratorId: id, zookeeper, view, settings, reads, log })
  )
  await until(`${id} to know the cluster`, WITHIN, () => view.now.known || undefined)
  return {
    ...{ zookeeper, view, settings, reads, scaling },
    async supervise() {
      await until(`${id} to be elected`, WITHIN, async () =>
        (await zookeeper.create(SUPERVISOR, id, { ephemeral: true })) ? true : undefined
      )
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync()
  }
}

const fresh = () => `c${clusters++}`

t.test('what is changed on one orchestrator holds on all, and outlives them', async t => {
  const cluster = fresh()
  const one = await orchestrator(t, { cluster, id: 'one' })
  const two = await orchestrator(t, { cluster, id: 'two' })
  t.strictSame(await one.settings.change({ policy: 'fixed', count: 4 }), {
    ...SHORT,
    ...{ policy: 'fixed', count: 4 }
  })
  t.equal(one.scaling.wanted, 4, 'there, as soon as it is answered')
  await until('the other to see it', WITHIN, () => two.scaling.wanted === 4 || undefined)
  await two.settings.change({ min: 1, max: 9 })
  await one[Symbol.asyncDispose]()
  await two[Symbol.asyncDispose]()
  const three = await orchestrator(t, { cluster, id: 'three' })
  t.match(three.settings.now, { policy: 'fixed', count: 4, min: 1, max: 9, windowS: 3 })
})

t.test('of changes at the same moment none is lost, nor what others keep there', async t => {
  const cluster = fresh()
  const one = await orchestrator(t, { cluster, id: 'one' })
  const two = await orchestrator(t, { cluster, id: 'two' })
  await one.zookeeper.create(CONFIG, JSON.stringify({ another: 'setting' }))
  await Promise.all([
    one.settings.change({ min: 1, max: 9 }),
    two.settings.change({ windowS: 7 }),
    one.settings.change({ readsPerReplica: 5 }),
    two.settings.change({ coolDownS: 11 })
  ])
  const stored = JSON.parse((await one.zookeeper.read(CONFIG))?.data ?? '')
  t.strictSame(stored, {
    another: 'setting',
    scaling: { min: 1, max: 9, windowS: 7, readsPerReplica: 5, coolDownS: 11 }
  })
})

t.test('stored settings that make no sense are not believed, and can be set right', async t => {
  const one = await orchestrator(t, { cluster: fresh(), id: 'one' })
  for (const data of ['no JSON', '{"scaling":{"min":"many"}}', '{"scaling":{"min":9,"max":1}}']) {
    await one.zookeeper.remove(CONFIG)
    await one.zookeeper.create(CONFIG, data)
    await until(`no belief in ${data}`, WITHIN, () =>
      isDeepStrictEqual(one.settings.now, SHORT) ? true : undefined
    )
    await one.settings.change({ windowS: 9 })
    t.strictSame(one.settings.now, { ...SHORT, windowS: 9 })
  }
})

t.test('reads of all orchestrators count, and the next supervisor goes on', async t => {
  const cluster = fresh()
  const one = await orchestrator(t, { cluster, id: 'one' })
  const two = await orchestrator(t, { cluster, id: 'two' })
  await one.supervise()
  for (let i = 0; i < 15; i++) one.reads.count()
  for (let i = 0; i < 16; i++) two.reads.count()
  const counted = (reads: number) =>
    until(`${reads} reads`, WITHIN, () => two.view.now.scaling?.span.reads === reads || undefined)
  await counted(31)
  const due = two.scaling.nextAt
  t.not(due, null)
  await one[Symbol.asyncDispose]()
  await two.supervise()
  const { decision } = await until('the end of the window', WITHIN, () => {
    const { scaling } = two.view.now
    return scaling?.decision.to === 4 ? scaling : undefined
  })
  t.match(decision, { policy: 'window', from: 2, to: 4 })
  t.match(decision.reason, /^31 reads in 3 s/)
  t.ok(Date.parse(decision.at) - Date.parse(due ?? '') < 1_500, 'when it was due')
  await until('a quiet window', WITHIN, () => two.scaling.wanted === 2 || undefined)
})

t.test('one that does not supervise decides nothing', async t => {
  const cluster = fresh()
  const one = await orchestrator(t, { cluster, id: 'one' })
  one.reads.count()
  await until('the read to be shown', WITHIN, async () =>
    (await one.zookeeper.read(`${READS}/one`))?.data === '1' ? true : undefined
  )
  t.equal(one.view.now.scaling, null)
  t.equal(one.scaling.wanted, 2)
})

t.test(
  'while ZooKeeper is away nothing is changed, and after its restart all is there',
  async t => {
    const cluster = fresh()
    const one = await orchestrator(t, { cluster, id: 'one' })
    await one.settings.change({ policy: 'fixed', count: 3 })
    services.kill('zookeeper', 'SIGSTOP')
    await t.rejects(one.settings.change({ count: 5 }), SettingsNotStoredError)
    t.equal(one.scaling.wanted, 3)
    services.kill('zookeeper', 'SIGKILL')
    await services.ready()
    const two = await orchestrator(t, { cluster, id: 'two' })
    t.match(two.settings.now, { policy: 'fixed', count: 3 })
  }
)
