/**
 * Several orchestrators: any may die or stand still, and nobody notices but the one that
 * supervises after it.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Run } from '../../local/convoy.ts'
import { updateSystem } from '../../local/update.ts'
import { type ClusterNow, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { Riders } from './riders.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

/** ZooKeeper's session, and some. */
const TAKEOVER_MS = 4_000
const RESTART_MS = 20_000
const TICKS_MS = 1_500

interface Seen extends ClusterNow {
  readonly supervisor: string | null
  readonly orchestrators: readonly { id: string; http: string; pid: number }[]
}

const cluster = await startCluster(t, {
  orchestrators: 2,
  settings: { CONVOY_SCRYPT_COST_LOG2: '4' }
})
const run = JSON.parse(readFileSync(cluster.folder.runFile, 'utf8')) as Run

const seenAt = async (url: string) => (await call(`GET ${url}/api/v1/cluster`)).body as Seen

/** Who supervises and who does not, once both are registered and agree. */
async function both() {
  return await until('two orchestrators that agree', { withinMs: RESTART_MS }, async () => {
    const [one, two] = await Promise.all(run.orchestrators.map(seenAt))
    if (one?.orchestrators.length !== 2 || one.supervisor !== two?.supervisor) return undefined
    const supervisor = one.orchestrators.find(({ id }) => id === one.supervisor)
    const other = one.orchestrators.find(({ id }) => id !== one.supervisor)
    return supervisor && other ? { supervisor, other } : undefined
  })
}

const workersAt = async (url: string) =>
  (await seenAt(url)).workers.map(({ id, pid }) => `${id} ${pid}`).sort()

/** @returns after how many milliseconds `id` supervises */
async function supervises(id: string, url: string): Promise<number> {
  const sinceMs = performance.now()
  await until('the other to supervise', { withinMs: TAKEOVER_MS }, async () =>
    (await seenAt(url)).supervisor === id ? true : undefined
  )
  return Math.round(performance.now() - sinceMs)
}

/** A replica dies, and whoever supervises replaces it. */
async function replaced(t: Test, url: string) {
  const { workers } = await seenAt(url)
  const replica = workers.find(({ role }) => role === 'replica')
  process.kill(replica?.pid ?? 0, 'SIGKILL')
  await cluster.healed([replica?.pid ?? 0])
  t.equal(placesOf(cluster).length, 3, 'by one worker')
}

await t.test('each shows the same, and takes all calls', async t => {
  const { supervisor, other } = await both()
  const [one, two] = [await seenAt(supervisor.http), await seenAt(other.http)]
  const shown = ({ term, master, inSync, supervisor, workers }: Seen) => ({
    ...{ term, master, inSync, supervisor, workers: workers.map(({ pid }) => pid).sort() }
  })
  t.strictSame(shown(one), shown(two))
  const { status, body } = await call(`POST ${other.http}/api/v1/crash/slave`)
  t.equal(status, 200)
  await cluster.healed((body as string[]).map(Number))
  const count = 2
  t.match(await call(`PUT ${other.http}/api/v1/cluster/replicas`, { body: { count } }), {
    status: 200
  })
  t.match(await call(`GET ${supervisor.http}/api/v1/cluster`), {
    body: { replicas: { wanted: count }, policy: { kind: 'fixed' } }
  })
  t.match(await call(`POST ${other.http}/api/v1/cluster/verify`), { status: 200 })
  t.match(await call(`POST ${other.http}/api/v1/db/clear`), { status: 200, body: {} })
})

await t.test('kill -9 of the one that supervises: the other adopts the workers', async t => {
  const { supervisor, other } = await both()
  const before = await workersAt(other.http)
  const riders = await Riders.start(t, run.addresses.lb)
  process.kill(supervisor.pid, 'SIGKILL')
  const tookMs = await supervises(other.id, other.http)
  t.comment(`the other supervises after ${tookMs} ms`)
  await riders.more(50)
  t.strictSame(await workersAt(other.http), before, 'no worker is started again')
  await replaced(t, other.http)
  await both()
  await riders.more(20)
  await riders.endWell(t)
})

await t.test('kill -9 of the one that does not supervise changes nothing', async t => {
  const { supervisor, other } = await both()
  const before = await workersAt(supervisor.http)
  const riders = await Riders.start(t, run.addresses.lb)
  process.kill(other.pid, 'SIGKILL')
  await riders.more(50)
  const after = await both()
  t.equal(after.supervisor.id, supervisor.id)
  t.strictSame(await workersAt(supervisor.http), before)
  await riders.endWell(t)
})

await t.test('kill -9 of the one that supervises and of the master at once', async t => {
  const { supervisor, other } = await both()
  const riders = await Riders.start(t, run.addresses.lb)
  const { master, workers } = await seenAt(other.http)
  const leads = workers.find(({ id }) => id === master)?.pid ?? 0
  for (const pid of [supervisor.pid, leads]) process.kill(pid, 'SIGKILL')
  await riders.more(50)
  await cluster.healed([leads])
  await riders.endWell(t)
})

await t.test('one that stands still is followed, and does no harm when it wakes', async t => {
  const { supervisor, other } = await both()
  const riders = await Riders.start(t, run.addresses.lb)
  process.kill(supervisor.pid, 'SIGSTOP')
  t.teardown(() => process.kill(supervisor.pid, 'SIGCONT'))
  const tookMs = await supervises(other.id, other.http)
  t.comment(`the other supervises after ${tookMs} ms`)
  const { workers } = await seenAt(other.http)
  const replica = workers.find(({ role }) => role === 'replica')
  process.kill(replica?.pid ?? 0, 'SIGKILL')
  await riders.more(50)
  await until('the replica to run again', { withinMs: RESTART_MS }, async () =>
    (await seenAt(other.http)).inSync.length === 3 ? true : undefined
  )
  const before = await workersAt(other.http)
  process.kill(supervisor.pid, 'SIGCONT')
  const after = await both()
  t.equal(after.supervisor.id, other.id, 'it does not supervise again')
  await sleep(TICKS_MS)
  t.strictSame(await workersAt(other.http), before, 'and starts and ends nobody')
  t.equal(placesOf(cluster).length, 3)
  await riders.more(20)
  await riders.endWell(t)
})

await t.test('the master hands over under load: no error, and hardly a gap', async t => {
  const { workers } = await cluster.healed()
  const gapsMs: number[] = []
  for (let i = 0; i < workers.length; i++) {
    const before = await cluster.healed()
    const writers = await Writers.start(t, cluster, { clients: 8, perS: 200 })
    await writers.more(40)
    const { status, body } = await call(`POST ${cluster.url}/api/v1/cluster/handover`)
    t.equal(status, 200, JSON.stringify(body))
    await writers.more(40)
    const report = await writers.stop()
    t.strictSame(report.errors, [])
    gapsMs.push(Math.round(report.longestGapMs))
    const after = await cluster.healed()
    t.equal((body as { master: string }).master, after.master)
    t.ok(after.term > before.term)
    t.not(after.master, before.master)
    t.strictSame([...after.inSync].sort(), [...before.inSync].sort(), 'nobody begins anew')
    await onceOnAllWorkers(t, cluster, report)
  }
  t.comment(`no write acknowledged for ${gapsMs.join(', ')} ms`)
  await equalOnAllWorkers(t, cluster)
})

await t.test('all processes are replaced one after the other, and no request fails', async t => {
  const before = await both()
  const pidsBefore = (await cluster.healed()).workers.map(({ pid }) => pid)
  const riders = await Riders.start(t, run.addresses.lb)
  const steps: string[] = []
  await updateSystem({
    folder: cluster.folder.root,
    authorization: {},
    say: line => steps.push(line)
  })
  await riders.more(20)
  const { supervisor, other } = await both()
  const pids = (await cluster.healed()).workers.map(({ pid }) => pid)
  t.strictSame(
    pids.filter(pid => pidsBefore.includes(pid)),
    [],
    'every worker is another process'
  )
  const old = [before.supervisor.id, before.other.id]
  t.notOk(old.includes(supervisor.id) || old.includes(other.id), 'and every orchestrator')
  t.ok(steps.includes('another worker is master'), steps.join('; '))
  await riders.endWell(t)
})
