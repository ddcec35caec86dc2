/**
 * What was acknowledged is on disk: it survives an orderly stop, the death of all
 * workers at the same moment, and that of everything.
 */
import t, { type Test } from 'tap'
import { type Cluster, startCluster, type Victim } from '../../testing/cluster/cluster.ts'
import { read, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, levelPlaces } from '../../testing/cluster/databases.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const CLIENTS = 8
const EVERYTHING: readonly Victim[] = ['all workers', 'rabbitmq', 'zookeeper', 'orchestrator']

const cluster = await startCluster(t)

await t.test('an orderly stop and a start: the same rows, sequences and workers', async t => {
  await write(cluster, {
    sql: 'create table kept (id bigint generated always as identity primary key, at timestamptz)'
  })
  const insert = {
    sql: 'insert into kept (at) select now() from generate_series(1, 500) returning *'
  }
  const { results, index } = await write(cluster, insert)
  const before = await equalOnAllWorkers(t, cluster)
  const ids = await workerIds(cluster)
  await cluster.stop()
  await cluster.start()
  await cluster.healed()
  t.strictSame(await workerIds(cluster), ids, 'the same workers, with their data')
  t.strictSame(await equalOnAllWorkers(t, cluster), before)
  t.strictSame((await read(cluster, 'select * from kept order by id')).rows, results[0]?.rows)
  const next = await write(cluster, { sql: 'insert into kept values (default, null) returning id' })
  t.strictSame(next.results[0]?.rows, [{ id: '501' }], 'ids go on where they were')
  t.ok(next.index > index, 'and so does the log')
})

await t.test('kill -9 of all workers at once: nothing acknowledged is lost', t =>
  survives(t, ['all workers'])
)

await t.test('kill -9 of everything at once: nothing acknowledged is lost', t =>
  survives(t, EVERYTHING)
)

async function survives(t: Test, victims: readonly Victim[]): Promise<void> {
  // What a client is told of writes that were on their way is not the question here.
  const writers = await Writers.start(t, cluster, { clients: CLIENTS, perS: 100, retry: true })
  await writers.more(10 * CLIENTS)
  const dead = await cluster.kill(...victims)
  t.ok(dead.length >= 3)
  await cluster.healed(dead)
  await writers.more(CLIENTS)
  const report = await writers.stop()
  t.comment(`${report.acknowledged.length} acknowledged; ${report.errors.length} errors`)
  // Again, for one whose unacknowledged entries are not the others' begins anew when it finds out.
  await cluster.healed(dead)
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
}

async function workerIds(cluster: Cluster): Promise<string[]> {
  return (await levelPlaces(cluster)).map(({ workerId }) => workerId).sort()
}
