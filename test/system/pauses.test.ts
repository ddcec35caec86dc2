/**
 * Processes stand still (SIGSTOP) while clients write, and go on as if nothing had been.
 */
import t from 'tap'
import { type ClusterNow, startCluster } from '../../testing/cluster/cluster.ts'
import { lasting } from '../../testing/cluster/faults.ts'
import { notOver, survives } from './survives.ts'

const cluster = await startCluster(t)

const SESSION_MS = 2_000
/** Longer than all that notices it. */
const PAUSE_MS = 4_000
const MINUTE_MS = 60_000

const idsOf = ({ workers }: ClusterNow) => workers.map(({ id }) => id).sort()

await t.test('the master: another leads, and it follows when it wakes', async t => {
  const harm = () => lasting(PAUSE_MS, cluster.pause('master'))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.ok(after.term > before.term)
  notOver(t, SESSION_MS + 300, gapMs)
})

await t.test('the master for less than a session: nobody is elected', async t => {
  const harm = () => lasting(SESSION_MS / 4, cluster.pause('master'))
  const { before, after } = await survives(t, cluster, { harm })
  t.equal(after.term, before.term)
})

await t.test('the master with its database, for a minute', async t => {
  const harm = () => lasting(MINUTE_MS, cluster.pause('master', "the master's database"))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.ok(after.term > before.term)
  notOver(t, SESSION_MS + 300, gapMs)
})

await t.test('a replica: it is missed after replicaTimeoutMs', async t => {
  const harm = () => lasting(PAUSE_MS, cluster.pause('replica'))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.equal(after.term, before.term)
  notOver(t, 1_300, gapMs)
})

await t.test("the master's database: the master makes room", async t => {
  const harm = () => lasting(2 * PAUSE_MS, cluster.pause("the master's database"))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.ok(after.term > before.term)
  notOver(t, 3_000, gapMs)
})

await t.test("a replica's database: the others go on", async t => {
  const harm = () => lasting(PAUSE_MS, cluster.pause("a replica's database"))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.equal(after.term, before.term)
  notOver(t, 1_300, gapMs)
})

await t.test(
  'ZooKeeper, until every session has ended: the master leads on, and all stay',
  async t => {
    for (const pauseMs of [PAUSE_MS, 1.5 * PAUSE_MS]) {
      const harm = () => lasting(pauseMs, cluster.pause('zookeeper'))
      const { before, after, gapMs } = await survives(t, cluster, { harm })
      t.equal(after.term, before.term, 'nobody is deposed')
      t.strictSame(idsOf(after), idsOf(before), 'nobody is copied anew')
      notOver(t, 300, gapMs)
    }
  }
)

await t.test('RabbitMQ, then the orchestrator', async t => {
  for (const victim of ['rabbitmq', 'orchestrator'] as const) {
    const harm = () => lasting(PAUSE_MS, cluster.pause(victim))
    await survives(t, cluster, { harm })
  }
})

await t.test('all workers at once', async t => {
  const harm = () => lasting(PAUSE_MS, cluster.pause('all workers'))
  await survives(t, cluster, { harm })
})
