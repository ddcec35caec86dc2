/**
 * A replica whose rows are not the cluster's is found, taken out of service at once,
 * told of, and copied anew, while clients go on. The rows are changed below Convoy.
 */
import t, { type Test } from 'tap'
import { type Cluster, type Place, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, rowsIn } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'

const GONE_MS = 20_000
const ROWS = 20

interface Verified {
  readonly workers: readonly { id: string; equal: boolean; differing: readonly string[] }[]
}

const cluster = await startCluster(t)
await write(cluster, { sql: 'create table things (id int primary key, body text not null)' })
await write(cluster, {
  sql: `insert into things select n, 'right' from generate_series(1, ${ROWS}) n`
})

async function aReplica({ workers }: Pick<Awaited<ReturnType<Cluster['now']>>, 'workers'>) {
  const replica = workers.find(({ role }) => role === 'replica')
  const place = placesOf(cluster).find(({ workerId }) => workerId === replica?.id)
  if (replica === undefined || place === undefined) throw new Error('there is no replica')
  return { ...place, pid: replica.pid }
}

/** Past Convoy's triggers and walls. */
const damage = (place: Place, sql: string) =>
  rowsIn(place, `set session_replication_role = replica; ${sql}`)

const verify = async () =>
  (await call(`POST ${cluster.url}/api/v1/cluster/verify`)).body as Verified

/** Follows the stream of events. @returns those heard so far, as text */
async function events(t: Test): Promise<() => string> {
  const stopping = new AbortController()
  t.teardown(() => stopping.abort())
  const reply = await fetch(`${cluster.url}/api/v1/cluster/events`, { signal: stopping.signal })
  let heard = ''
  const reading = async () => {
    for await (const chunk of reply.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += chunk
  }
  reading().catch(() => {}) // ended by the test
  return () => heard
}

async function replaced(t: Test, { workerId, pid }: { workerId: string; pid: number }) {
  await until('the differing worker to be gone', { withinMs: GONE_MS }, async () => {
    const { inSync } = await cluster.now()
    const isThere = placesOf(cluster).some(place => place.workerId === workerId)
    return inSync.includes(workerId) || isThere ? undefined : true
  })
  const after = await cluster.healed([pid])
  t.notOk(after.inSync.includes(workerId), 'another has taken its place')
  await equalOnAllWorkers(t, cluster)
  t.ok((await verify()).workers.every(({ equal }) => equal))
}

await t.test('a row that differs is found by verify', async t => {
  const before = await cluster.now()
  const victim = await aReplica(before)
  await damage(victim, `update things set body = 'wrong' where id = 7`)
  const heard = await events(t)
  const { workers } = await verify()
  t.strictSame(workers.find(({ id }) => id === victim.workerId)?.differing, ['things'])
  t.equal(workers.filter(({ equal }) => equal).length, 2)
  const sql = 'select body from things where id = 7'
  for (let i = 0; i < 2 * ROWS; i++) {
    const { rows, workerId } = await read(cluster, sql, { consistency: 'replica' })
    t.strictSame([rows, workerId === victim.workerId], [[{ body: 'right' }], false])
  }
  await until('the event', { withinMs: GONE_MS }, () => {
    return /"type":"diverged".*things/.test(heard()) ? true : undefined
  })
  await replaced(t, victim)
  t.equal((await cluster.now()).term, before.term, 'nobody was elected for it')
})

await t.test('a row that is missing is found when the master changes it', async t => {
  const victim = await aReplica(await cluster.now())
  await damage(victim, 'delete from things where id = 9')
  const heard = await events(t)
  await write(cluster, { sql: `update things set body = 'new' where id = 9` })
  await until('the event', { withinMs: GONE_MS }, () => {
    return /"type":"diverged".*table things: 0 rows/.test(heard()) ? true : undefined
  })
  const { rows } = await read(cluster, 'select body from things where id = 9')
  t.strictSame(rows, [{ body: 'new' }])
  await replaced(t, victim)
})

await t.test('a schema change shows a row that differs, before it is confirmed', async t => {
  const victim = await aReplica(await cluster.now())
  await damage(victim, `update things set body = 'wrong' where id = 7`)
  const heard = await events(t)
  await write(cluster, { sql: 'alter table things add column seen int not null default 0' })
  await until('the event', { withinMs: GONE_MS }, () => {
    return /"type":"diverged".*after the schema change of entry \d+: things/.test(heard())
      ? true
      : undefined
  })
  const { rows } = await read(cluster, 'select body, seen from things where id = 7')
  t.strictSame(rows, [{ body: 'right', seen: 0 }])
  await replaced(t, victim)
})

await t.test('where all replicas differ, a copy of the master confirms the change', async t => {
  const before = await cluster.now()
  const replicas = placesOf(cluster).filter(({ workerId }) => workerId !== before.master)
  t.equal(replicas.length, 2)
  for (const place of replicas) await damage(place, `update things set body = 'x' where id = 3`)
  const changed = await until('the change to be answered', { withinMs: 60_000 }, async () => {
    const sql = 'alter table things alter column seen type bigint'
    const answer = await tryWrite(cluster, [{ sql }], 'all-differ')
    return answer.status === 200 ? answer.body : undefined
  })
  t.match(changed, { requestId: 'all-differ', term: before.term })
  await write(cluster, { sql: 'update things set seen = 1 where id = 3' })
  const after = await cluster.healed()
  t.equal(after.term, before.term, 'nobody was elected for it')
  t.strictSame(
    after.inSync.filter(id => replicas.some(({ workerId }) => workerId === id)),
    [],
    'none of those that differed is left'
  )
  await equalOnAllWorkers(t, cluster)
  const { rows } = await read(cluster, 'select body, seen from things where id = 3')
  t.strictSame(rows, [{ body: 'right', seen: '1' }])
  t.ok((await verify()).workers.every(({ equal }) => equal))
})
