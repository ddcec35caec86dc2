/**
 * Processes die while clients write: nothing acknowledged is lost or done twice, and
 * the cluster heals by itself.
 */
import t from 'tap'
import { startCluster } from './cluster.ts'
import { equalOnAllWorkers } from './databases.ts'
import { CLIENT_TIMEOUT_MS, onceOnAllWorkers, Writers } from './writers.ts'

const CLIENTS = 8
const cluster = await startCluster(t)

await t.test('kill -9 of the master: another leads, and the dead one is replaced', async t => {
  const before = await cluster.now()
  const writers = await Writers.start(t, cluster, { clients: CLIENTS })
  const dead = await cluster.kill('master')
  await writers.more(10 * CLIENTS)
  const after = await cluster.healed(dead)
  await writers.more(CLIENTS)
  const report = await writers.stop()
  t.ok(after.term > before.term, 'a new term')
  t.not(after.master, before.master)
  t.strictSame(report.errors, [])
  t.ok(report.slowestMs < CLIENT_TIMEOUT_MS)
  t.comment(`no acknowledgement for ${Math.round(report.longestGapMs)} ms`)
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
})

await t.test('kill -9 of a replica: no client sees an error', async t => {
  const before = await cluster.now()
  const writers = await Writers.start(t, cluster, { clients: CLIENTS })
  const dead = await cluster.kill('replica')
  await writers.more(10 * CLIENTS)
  const after = await cluster.healed(dead)
  const report = await writers.stop()
  t.equal(after.term, before.term, 'nobody is elected')
  t.strictSame(report.errors, [])
  t.comment(`no acknowledgement for ${Math.round(report.longestGapMs)} ms`)
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
})
