/**
 * Data is lost, and workers are lost while others are being replaced: the cluster is whole
 * again, with all that was acknowledged.
 */
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t, { network: true })

await t.test('a replica is gone with its folder: another takes its place', async t => {
  const { before, after } = await survives(t, cluster, { harm: () => cluster.lose('replica') })
  t.equal(after.term, before.term)
})

await t.test('the master is gone with its folder', async t => {
  const { before, after } = await survives(t, cluster, { harm: () => cluster.lose('master') })
  t.ok(after.term > before.term)
})

await t.test("the files of a replica's database are gone while it runs", t =>
  survives(t, cluster, { harm: () => cluster.erase('replica') })
)

await t.test("the files of the master's database are gone while it runs", t =>
  survives(t, cluster, { harm: () => cluster.erase('master') })
)

await t.test('the donor of a clone dies: the copy is made again', async t => {
  const harm = async () => {
    const dead = await cluster.lose('replica')
    const held = await cluster.holdClone()
    // The copy is taken from the replica that is left.
    dead.push(...(await cluster.kill('replica', "a replica's database")))
    await held.heal()
    return dead
  }
  await survives(t, cluster, { harm })
})

await t.test('the session of a worker that is being cloned is over', async t => {
  const harm = async () => {
    const dead = await cluster.lose('replica')
    const held = await cluster.holdClone()
    const { workers } = await cluster.now()
    const cloning = workers.find(({ role }) => role === 'joining')
    if (cloning !== undefined) await cluster.expire(`worker ${cloning.id}`)
    await held.heal()
    return dead
  }
  await survives(t, cluster, { harm })
})

await t.test('the new master dies, too', async t => {
  const { before, after } = await survives(t, cluster, {
    harm: async () => {
      const { term } = await cluster.now()
      const first = await cluster.kill('master')
      await cluster.untilTerm(term + 1)
      return [...first, ...(await cluster.kill('master'))]
    }
  })
  t.ok(after.term > before.term + 1)
})

await t.test('a replica dies, and then the master', async t => {
  await survives(t, cluster, {
    harm: async () => [...(await cluster.kill('replica')), ...(await cluster.kill('master'))]
  })
})
