/**
 * A write that takes its master with it: two of them, and no third one.
 */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { type Cluster, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, rowsIn } from '../../testing/cluster/databases.ts'
import { type Answer, call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { Writers } from './writers.ts'

const WITHIN = { withinMs: 40_000 }
/** Long enough to be found, and within the time that a write may take. */
const POISON = `insert into poisoned
  select 1 from generate_series(1, 5000) a, generate_series(1, 5000) b having count(*) > 0`

/** Asks until there is an answer, as a client with a key does. */
function settled(cluster: Cluster, key: string): Promise<Answer> {
  return until('an answer to the write', WITHIN, async () => {
    const answer = await tryWrite(cluster, [{ sql: POISON }], key).catch(() => undefined)
    return answer === undefined || answer.status >= 500 ? undefined : answer
  })
}

/** Resolves when the master executes it. */
function untilExecuted(cluster: Cluster): Promise<true> {
  return until('the write to be executed', WITHIN, async () => {
    const { master, workers } = await cluster.now()
    if (workers.find(({ id }) => id === master)?.role !== 'master') return undefined
    const place = placesOf(cluster).find(({ workerId }) => workerId === master)
    if (place === undefined) return undefined
    const sql = `select pid from pg_stat_activity where usename = 'convoy_app' and state = 'active'
      and query like 'insert into poisoned%'`
    const rows = await rowsIn(place, sql).catch(() => [])
    return rows.length > 0 ? true : undefined
  })
}

/** Types and fields of what happens from now on. */
async function eventsOf(cluster: Cluster) {
  const told: Record<string, unknown>[] = []
  const ended = new AbortController()
  const reply = await fetch(`${cluster.url}/api/v1/cluster/events`, { signal: ended.signal })
  const reading = async () => {
    let text = ''
    for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(chunk)
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('data: ')) told.push(JSON.parse(line.slice(6)))
    }
  }
  reading().catch(() => {}) // It is ended.
  return { told, end: () => ended.abort() }
}

t.test('a write whose masters die of it is refused by the third', async t => {
  const cluster = await startCluster(t)
  await write(cluster, { sql: 'create table poisoned (id int primary key)' })
  const events = await eventsOf(cluster)
  t.teardown(events.end)
  const writers = await Writers.start(t, cluster, { clients: 8, perS: 40, retry: true })

  const key = randomUUID()
  const answering = settled(cluster, key)
  for (const _ of ['first', 'second']) {
    const before = await cluster.now()
    await untilExecuted(cluster)
    await cluster.kill('master')
    await cluster.untilTerm(before.term + 1)
  }
  const answer = await answering
  t.match(answer, { status: 422, body: { code: 'CONVOY_REQUEST_HARMFUL' } })
  t.strictSame((await settled(cluster, key)).body, answer.body, 'and again the same')
  const outcome = await call(`GET ${cluster.url}/api/v1/db/write/${key}`)
  t.match(outcome, { status: 422, body: answer.body as object })

  await cluster.healed()
  const { acknowledged, errors } = await writers.stop()
  t.strictSame(errors, [], 'others are served')
  const sums = await equalOnAllWorkers(t, cluster)
  t.match(sums['written'], new RegExp(`^${acknowledged.length} rows`), 'each write once')
  t.match(sums['poisoned'], /^0 rows/)
  const named = events.told.filter(({ type }) => type === 'harmful')
  t.match(named, [{ requestId: key }])
  t.equal(named.length, 1)
})
