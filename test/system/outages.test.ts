/**
 * What the cluster stands on dies while clients write, and is started again.
 */
import t from 'tap'
import { startCluster, type Victim } from './cluster.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t)
const killing = (victim: Victim) => ({ harm: () => cluster.kill(victim) })

await t.test('kill -9 of RabbitMQ: no client sees more than a wait', t =>
  survives(t, cluster, killing('rabbitmq'))
)

await t.test('kill -9 of ZooKeeper: writes go on, and nobody is elected', async t => {
  const { before, after } = await survives(t, cluster, killing('zookeeper'))
  t.strictSame([after.term, after.master], [before.term, before.master])
})

await t.test('kill -9 of the orchestrator: who sends again with its key gets its answer', t =>
  survives(t, cluster, { ...killing('orchestrator'), retry: true })
)
