/**
 * Workers are cut off from RabbitMQ, from ZooKeeper or from both while clients write, as
 * a broken network does it: connections stay, and carry nothing.
 */
import t from 'tap'
import { startCluster } from './cluster.ts'
import { lasting } from './faults.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t, { network: true })

const CUT_MS = 6_000

await t.test('a master that loses its ZooKeeper session goes on', async t => {
  const { before, after } = await survives(t, cluster, {
    harm: async () => {
      await cluster.expire('master')
      return []
    }
  })
  t.ok(after.term >= before.term)
})

await t.test('a master cut off from ZooKeeper', async t => {
  await survives(t, cluster, {
    harm: () => lasting(CUT_MS, cluster.cut('master', 'zookeeper'))
  })
})

await t.test('a master cut off from RabbitMQ', async t => {
  await survives(t, cluster, {
    harm: () => lasting(CUT_MS, cluster.cut('master', 'rabbitmq'))
  })
})

await t.test('a master cut off from everything', async t => {
  await survives(t, cluster, {
    harm: () => lasting(CUT_MS, cluster.cut('master', 'everything'))
  })
})
