/**
 * Workers and their databases die while clients write.
 */
import t from 'tap'
import { startCluster, type Victim } from '../../testing/cluster/cluster.ts'
import { call } from '../../testing/convoy.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t)
const killing = (victim: Victim) => ({ harm: () => cluster.kill(victim) })

await t.test('kill -9 of the master: another leads, and the dead one is replaced', async t => {
  const { before, after } = await survives(t, cluster, killing('master'))
  t.ok(after.term > before.term, 'a new term')
  t.not(after.master, before.master)
})

await t.test('kill -9 of a replica: the others go on', async t => {
  const { before, after } = await survives(t, cluster, killing('replica'))
  t.strictSame([after.term, after.master], [before.term, before.master], 'nobody is elected')
})

await t.test("kill -9 of a replica's PostgreSQL: the worker is there again", async t => {
  const { before, after } = await survives(t, cluster, killing("a replica's database"))
  t.equal(after.term, before.term)
})

await t.test("kill -9 of the master's PostgreSQL: another leads", async t => {
  const { before, after } = await survives(t, cluster, killing("the master's database"))
  t.ok(after.term > before.term)
})

await t.test('POST crash/slave and crash/master kill, and say whom', async t => {
  const crashing = (what: string) => ({
    harm: async () => {
      const { status, body } = await call(`POST ${cluster.url}/api/v1/crash/${what}`)
      t.equal(status, 200)
      const pids = (body as string[]).map(Number)
      t.equal(pids.length, 1)
      return pids
    }
  })
  const slave = await survives(t, cluster, crashing('slave'))
  t.equal(slave.after.term, slave.before.term)
  const master = await survives(t, cluster, crashing('master'))
  t.ok(master.after.term > master.before.term)
})
