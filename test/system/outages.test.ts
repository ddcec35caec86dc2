/**
 * What the cluster stands on dies while clients write and read, and is started again.
 */
import t from 'tap'
import { startCluster, type Victim } from '../../testing/cluster/cluster.ts'
import { lasting } from '../../testing/cluster/faults.ts'
import { notOver, survives } from './survives.ts'

const cluster = await startCluster(t)
const killing = (victim: Victim) => ({ harm: () => cluster.kill(victim) })

const OUTAGE_MS = 32_000

await t.test('kill -9 of RabbitMQ: no client sees more than a wait', t =>
  survives(t, cluster, killing('rabbitmq'))
)

await t.test('RabbitMQ comes back without its queues', t =>
  survives(t, cluster, {
    harm: () => lasting(0, cluster.down('rabbitmq', { forgets: true }))
  })
)

await t.test('kill -9 of ZooKeeper: writes go on, and nobody is elected', async t => {
  const { before, after } = await survives(t, cluster, killing('zookeeper'))
  t.strictSame([after.term, after.master], [before.term, before.master])
})

await t.test('ZooKeeper away for half a minute: writes and reads go on', async t => {
  const { before, after, gapMs, readGapMs } = await survives(t, cluster, {
    harm: () => lasting(OUTAGE_MS, cluster.down('zookeeper'))
  })
  t.strictSame([after.term, after.master], [before.term, before.master], 'nobody is elected')
  notOver(t, 1_000, readGapMs)
  notOver(t, 500, gapMs)
})

await t.test('kill -9 of the orchestrator: who sends again with its key gets its answer', t =>
  survives(t, cluster, { ...killing('orchestrator'), retry: true })
)
