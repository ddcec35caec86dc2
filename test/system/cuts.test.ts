/**
 * Workers are cut off from RabbitMQ, from ZooKeeper or from both while clients write, as
 * a broken network does it: connections stay, and carry nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { lasting } from '../../testing/cluster/faults.ts'
import { notOver, survives } from './survives.ts'

const cluster = await startCluster(t, { network: true })

/** Longer than all that notices it. */
const CUT_MS = 3_500
/** ZooKeeper's session and half a second. */
const STALL_MS = 2_500

for (const from of ['rabbitmq', 'zookeeper', 'everything'] as const) {
  await t.test(`the master cut off from ${from}: another takes over`, async t => {
    const harm = () => lasting(CUT_MS, cluster.cut('master', from))
    const { before, after, gapMs } = await survives(t, cluster, { harm })
    t.ok(after.term > before.term)
    notOver(t, STALL_MS, gapMs)
  })
}

await t.test('what the master says does not arrive', async t => {
  const harm = () => lasting(CUT_MS, cluster.cut('master', 'everything', 'to'))
  const { gapMs } = await survives(t, cluster, { harm })
  notOver(t, STALL_MS, gapMs)
})

await t.test('the master hears nothing, and is heard', async t => {
  const harm = () => lasting(2 * CUT_MS, cluster.cut('master', 'everything', 'from'))
  const { before, after, gapMs } = await survives(t, cluster, { harm })
  t.ok(after.term > before.term)
  // ZooKeeper may take what was asked before as a sign of life.
  notOver(t, STALL_MS + 1_000, gapMs)
})

await t.test('a replica cut off from everything, and one that says nothing', async t => {
  const cuts = [
    () => cluster.cut('replica', 'everything'),
    () => cluster.cut('replica', 'rabbitmq', 'to')
  ]
  for (const cut of cuts) {
    const harm = () => lasting(CUT_MS, cut())
    const { before, after, gapMs } = await survives(t, cluster, { harm })
    t.equal(after.term, before.term, 'nobody is elected')
    notOver(t, STALL_MS, gapMs)
  }
})

await t.test('the orchestrator cut off from RabbitMQ, then from ZooKeeper', async t => {
  for (const from of ['rabbitmq', 'zookeeper'] as const) {
    const harm = () => lasting(CUT_MS, cluster.cut('orchestrator', from))
    const { before, after } = await survives(t, cluster, { harm })
    t.equal(after.term, before.term, 'nobody is elected')
  }
})

await t.test('a network that is slow, flaps, and breaks connections', async t => {
  await survives(t, cluster, {
    harm: () => lasting(CUT_MS, cluster.slow('all workers', 'everything', 50))
  })
  const harm = async () => {
    for (let i = 0; i < 5; i++) await lasting(400, cluster.cut('master', 'everything'))
    await cluster.reset('all workers', 'rabbitmq')
    await cluster.reset('all workers', 'zookeeper')
    return []
  }
  await survives(t, cluster, { harm })
})

await t.test('ZooKeeper sessions are over: of the master, then of everybody', async t => {
  for (const parties of [['master'], ['all workers', 'orchestrator']] as const) {
    const harm = async () => {
      await Promise.all(parties.map(party => cluster.expire(party)))
      return []
    }
    await survives(t, cluster, { harm })
  }
})

await t.test('sessions are over while another master is being elected', async t => {
  for (const waitMs of [0, 50]) {
    const harm = async () => {
      const { workers, master } = await cluster.now()
      const replicas = workers.filter(({ id }) => id !== master)
      const dead = await cluster.kill('master')
      await sleep(waitMs)
      await Promise.all(replicas.map(({ id }) => cluster.expire(`worker ${id}`)))
      return dead
    }
    await survives(t, cluster, { harm })
  }
})
