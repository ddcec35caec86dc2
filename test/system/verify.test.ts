/**
 * A verification votes: a master whose rows were changed behind its back is replaced and its
 * replicas are kept; without a majority nothing is thrown away until an operator decides; a
 * worker that is left out is named. Clients go on meanwhile.
 */
import t, { type Test } from 'tap'
import type { Verified } from '../../cli/commands/verify.ts'
import { type Cluster, type Place, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, rowsIn } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { convoy, jsonOf } from './command.ts'
import { Writers } from './writers.ts'

const GONE_MS = 40_000

async function filled(t: Test, workers: number): Promise<Cluster> {
  const cluster = await startCluster(t, { workers })
  await write(cluster, { sql: 'create table things (id int primary key, body text not null)' })
  await write(cluster, {
    sql: `insert into things select n, 'right' from generate_series(1, 500) n`
  })
  return cluster
}

/** Past Convoy's triggers and walls. */
const damage = (place: Place, sql: string) =>
  rowsIn(place, `set session_replication_role = replica; ${sql}`)

const verify = ({ folder }: Cluster, ...words: string[]) =>
  convoy(['verify', '--json', '--folder', folder.root, ...words])

function placeOf(cluster: Cluster, workerId: string | undefined | null): Place {
  const place = placesOf(cluster).find(one => one.workerId === workerId)
  if (place === undefined) throw new Error(`${workerId} has no folder`)
  return place
}

async function untilGone(cluster: Cluster, workerId: string | null): Promise<void> {
  await until('the wrong worker to be gone', { withinMs: GONE_MS }, async () => {
    const isThere = placesOf(cluster).some(place => place.workerId === workerId)
    return isThere ? undefined : true
  })
}

const verdicts = ({ workers }: Verified) => new Map(workers.map(one => [one.id, one.verdict]))

await t.test('a master with other rows than its replicas hands over and is replaced', async t => {
  const cluster = await filled(t, 3)
  const before = await cluster.now()
  const replicas = before.inSync.filter(id => id !== before.master)
  await damage(placeOf(cluster, before.master), `update things set body = 'wrong' where id = 7`)
  const writers = await Writers.start(t, cluster, { clients: 4, perS: 50 })
  const said = await verify(cluster)
  const verified = jsonOf(said) as Verified
  t.equal(said.code, 1, said.err)
  const [first, second] = replicas
  t.strictSame(
    [before.master, first, second].map(id => verdicts(verified).get(id ?? '')),
    ['wrong', 'equal', 'equal']
  )
  t.match(verified.workers.find(({ id }) => id === before.master)?.differing, ['things'])
  await untilGone(cluster, before.master)
  const after = await cluster.healed()
  t.ok(after.master !== before.master && replicas.includes(after.master ?? ''), 'a replica leads')
  t.strictSame(
    replicas.filter(id => after.inSync.includes(id)),
    replicas,
    'both replicas are kept'
  )
  const { rows } = await read(cluster, 'select distinct body from things')
  t.strictSame(rows, [{ body: 'right' }])
  const { acknowledged, errors } = await writers.stop()
  t.strictSame(errors, [])
  const kept = new Set(
    (await read(cluster, 'select value from written')).rows.map(({ value }) => value)
  )
  t.strictSame(
    acknowledged.filter(value => !kept.has(value)),
    [],
    'nothing that was acknowledged is lost'
  )
  await equalOnAllWorkers(t, cluster)
  t.equal((await verify(cluster)).code, 0)

  await t.test('a worker that is left out is named, and the exit code says so', async t => {
    const paused = await cluster.pause('replica')
    const said = await verify(cluster)
    t.equal(said.code, 6, said.err)
    const { leftOut, workers } = jsonOf(said) as Verified
    t.equal(leftOut.length, 1)
    t.equal(workers.length, 2)
    const again = await convoy(['verify', '--folder', cluster.folder.root])
    t.equal(again.code, 6)
    t.match(again.out, /worker \S+: LEFT OUT: /, 'also when nobody knows it any more')
    await paused.heal()
    await cluster.healed()
  })
})

await t.test('without a majority nothing is thrown away until an operator decides', async t => {
  const cluster = await filled(t, 2)
  const before = await cluster.now()
  const right = before.inSync.find(id => id !== before.master) ?? ''
  await damage(placeOf(cluster, before.master), `update things set body = 'wrong' where id = 7`)
  const said = await verify(cluster)
  t.equal(said.code, 1)
  t.strictSame([...verdicts(jsonOf(said) as Verified).values()], ['undecided', 'undecided'])
  const text = (await convoy(['verify', '--folder', cluster.folder.root])).out
  t.match(text, /nothing is replaced. Decide with: convoy verify --trust <worker>/)
  const now = await cluster.now()
  t.strictSame([now.term, [...now.inSync].sort()], [before.term, [...before.inSync].sort()])
  const unknown = await verify(cluster, '--trust', 'nobody')
  t.equal(unknown.code, 1)
  t.match(unknown.err, 'CONVOY_NO_SUCH_WORKER')
  const decided = await verify(cluster, '--trust', right)
  t.equal(decided.code, 1)
  t.strictSame(
    [before.master, right].map(id => verdicts(jsonOf(decided) as Verified).get(id ?? '')),
    ['wrong', 'equal']
  )
  await untilGone(cluster, before.master)
  const after = await cluster.healed()
  t.equal(after.master, right)
  const { rows } = await read(cluster, 'select distinct body from things')
  t.strictSame(rows, [{ body: 'right' }])
  t.equal((await verify(cluster)).code, 0)
  // Over HTTP the same.
  t.match(await call(`GET ${cluster.url}/api/v1/cluster/verify`), { status: 200 })
})
