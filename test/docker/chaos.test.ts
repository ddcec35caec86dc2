/**
 * What `npm run chaos` does to containers, by a real engine: stand-ins take the places of
 * a service and of a worker, and a page says which worker leads.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ContainerCreateOptions } from 'dockerode'
import t from 'tap'
import { Containers } from '../../bench/chaos/targets/containers.ts'
import { Dice } from '../../testing/random.ts'
import { until } from '../../testing/wait.ts'
import { loadStandIn, STAND_IN } from './stand-in.ts'
import { givenEngine } from './test-stack.ts'

const BACK_MS = 30_000

const engine = givenEngine()
const { docker } = engine
const cluster = `test-${randomBytes(3).toString('hex')}`
const network = `convoy-${cluster}`
loadStandIn(engine)
const made = await docker.createNetwork({ Name: network })
t.teardown(() => made.remove())

const start = async (Labels: Record<string, string>, HostConfig: object) => {
  const options: ContainerCreateOptions = {
    ...{ Image: STAND_IN, Labels, HostConfig: { NetworkMode: network, ...HostConfig } }
  }
  const container = await docker.createContainer(options)
  t.teardown(() => container.remove({ force: true, v: true }))
  await container.start()
  return container
}
const lb = await start(
  { 'com.docker.compose.project': network, 'com.docker.compose.service': 'lb' },
  { RestartPolicy: { Name: 'unless-stopped' } }
)
const worker = await start({ 'convoy.cluster': cluster }, {})
const pidOf = async (container: typeof worker) => (await container.inspect()).State.Pid

const pid = await pidOf(worker)
const page = createServer((_request, response) => {
  const workers = [{ id: 'one', pid, role: 'master' }]
  response.end(JSON.stringify({ term: 1, master: 'one', inSync: ['one'], workers }))
})
page.listen(0, '127.0.0.1')
await once(page, 'listening')
t.teardown(() => page.close())
const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`
const containers = new Containers(docker, cluster, {
  ...{ lb: url, orchestrators: [url], token: undefined }
})
const dice = new Dice(1)

await t.test('a killed service is another process in the same container', async t => {
  const before = await pidOf(lb)
  const { who, dead } = await containers.strike({ atS: 0, fault: 'kill-lb' }, dice)
  t.strictSame([who, dead], ['lb', [before]])
  await until('lb to be started again', { withinMs: BACK_MS }, async () => {
    const { State } = await lb.inspect()
    return State.Running && State.Pid !== before ? true : undefined
  })
})

await t.test('a paused worker stands still until it is healed', async t => {
  const pause = { atS: 0, fault: 'pause', of: 'master', lastsS: 1 } as const
  const { who, heal } = await containers.strike(pause, dice)
  t.strictSame([who, (await worker.inspect()).State.Paused], ['worker one', true])
  await heal()
  await heal() // once is enough
  t.equal((await worker.inspect()).State.Paused, false)
})

await t.test('a worker that is cut off is in no network until it is healed', async t => {
  const networks = async () => Object.keys((await worker.inspect()).NetworkSettings.Networks)
  const cut = { atS: 0, fault: 'cut', of: 'master', from: 'everything', lastsS: 1 } as const
  await containers.strike(cut, dice)
  t.strictSame(await networks(), [])
  await containers.heal()
  t.strictSame(await networks(), [network])
  await t.rejects(containers.strike({ ...cut, from: 'rabbitmq' }, dice), /from everything/)
})

await t.test('a killed worker stays dead: orchestrators start another', async t => {
  t.strictSame((await containers.strike({ atS: 0, fault: 'kill-master' }, dice)).dead, [pid])
  await until('its end', { withinMs: BACK_MS }, async () =>
    (await worker.inspect()).State.Running ? undefined : true
  )
  await t.rejects(containers.strike({ atS: 0, fault: 'kill-master' }, dice), /no container/)
})
