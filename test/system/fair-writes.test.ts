/**
 * One client with many slow writes at once, and another with a quick one now and then.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'

const QUICK = "insert into made (text) values ('quick')"
/** Some seconds of work that PostgreSQL can interrupt. */
const SLOW = `insert into made (text) select 'slow'
  from generate_series(1, 6000) a, generate_series(1, 6000) b having count(*) > 0`
const SLOW_CLIENTS = 40
const QUICK_WRITES = 15
/** What is promised, and what a busy machine may add to the slowest of them. */
const PROMISED_MS = 1_500
const SLACK_MS = 1_500

interface Client {
  readonly url: string
  /** Whose address it has: without tokens, a client is an address. */
  readonly localAddress: string
  readonly agent: Agent
}

/** @returns the status, and how long it took */
async function timed(client: Client, sql: string): Promise<{ status: number; ms: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const { url, localAddress, agent } = client
  const beganMs = performance.now()
  const headers = { 'content-type': 'application/json' }
  const asking = request(
    `${url}/api/v1/db/write`,
    { method: 'POST', localAddress, agent, headers },
    answer => answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
  )
  asking.on('error', reject)
  asking.end(JSON.stringify({ statements: [{ sql }] }))
  return { status: await promise, ms: performance.now() - beganMs }
}

t.test('slow writes of one client do not hold up quick ones of another', async t => {
  const cluster = await startCluster(t)
  await write(cluster, {
    sql: 'create table made (id bigint generated always as identity primary key, text text)'
  })
  const clientAt = (localAddress: string): Client => {
    const agent = new Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    return { url: cluster.url, localAddress, agent }
  }
  const attacker = clientAt('127.0.0.2')
  let attacks = true
  const attacking = Array.from({ length: SLOW_CLIENTS }, async () => {
    while (attacks) {
      const { status } = await timed(attacker, SLOW)
      if (status === 503) await sleep(200)
    }
  })
  await sleep(1_000)
  const bystander = clientAt('127.0.0.1')
  const answers: { status: number; ms: number }[] = []
  for (let i = 0; i < QUICK_WRITES; i++) {
    answers.push(await timed(bystander, QUICK))
    await sleep(50)
  }
  attacks = false
  await Promise.all(attacking)

  const times = answers.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b)
  t.comment(`quick writes took ${times.join(', ')} ms`)
  t.ok(
    answers.every(({ status }) => status === 200),
    'each is done'
  )
  t.ok((times[QUICK_WRITES >> 1] ?? 0) < PROMISED_MS, 'within the time that is promised')
  t.ok((times.at(-1) ?? 0) < PROMISED_MS + SLACK_MS, 'the slowest too')
  const sums = await equalOnAllWorkers(t, cluster)
  t.ok(Number.parseInt(sums['made'] ?? '', 10) >= QUICK_WRITES)
})
