/**
 * Reads of one client that would hurt others: many that last, and one that takes its workers
 * with it.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Cluster, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'
import { rowsIn } from '../../testing/cluster/databases.ts'
import { type Answer, call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { Readers } from './readers.ts'

const WITHIN = { withinMs: 40_000 }
const ATTACKERS = 40
const ATTACK_MS = 8_000
const WORST_MS = 1_500
/** Another client: without tokens clients are told apart by their addresses. */
const ATTACKERS_ADDRESS = '127.0.0.2'
const BY_KEY = 'select v from kept where id = $1'
const LASTS = 'select count(*) from generate_series(1, 40000000)'
const HARMFUL = 'select count(*) + 4242 from generate_series(1, 40000000)'

/** @returns the status of each answer */
async function attack({ url }: Cluster, untilMs: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, localAddress: ATTACKERS_ADDRESS })
  const statuses: number[] = []
  const ask = (n: number) =>
    new Promise<void>(resolve => {
      const sent = request(`${url}/api/v1/db/read`, { method: 'POST', agent }, answer => {
        statuses.push(answer.statusCode ?? 0)
        answer.resume().on('end', resolve)
      })
      sent.on('error', () => resolve())
      sent.setHeader('content-type', 'application/json')
      sent.end(JSON.stringify({ sql: `${LASTS} -- ${n}` }))
    })
  const attackers = Array.from({ length: ATTACKERS }, async (_, n) => {
    while (performance.now() < untilMs) await ask(n)
  })
  await Promise.all(attackers)
  agent.destroy()
  return statuses
}

/** Milliseconds that each read by key took; all must be answered. */
async function bystander({ url }: Cluster, untilMs: number): Promise<number[]> {
  const times: number[] = []
  while (performance.now() < untilMs) {
    const beganMs = performance.now()
    // No value comes twice: the read cache must not answer.
    const body = { sql: BY_KEY, params: [1_000 + times.length] }
    const { status } = await call(`POST ${url}/api/v1/db/read`, { body })
    if (status !== 200) throw new Error(`the bystander got ${status}`)
    times.push(performance.now() - beganMs)
    await sleep(10)
  }
  return times.toSorted((a, b) => a - b)
}

/** The worker that executes the read, when it does. */
function executing(cluster: Cluster, not: string | null): Promise<string> {
  return until('the read to be executed', WITHIN, async () => {
    for (const place of placesOf(cluster)) {
      const sql = `select 1 from pg_stat_activity where usename = 'convoy_read'
        and state = 'active' and query like 'select count(*) + 4242%'`
      const rows = await rowsIn(place, sql).catch(() => [])
      if (rows.length > 0 && place.workerId !== not) return place.workerId
    }
    return undefined
  })
}

t.test('reads of one client', async t => {
  const cluster = await startCluster(t, { settings: { CONVOY_READ_DEADLINE_MS: '20000' } })
  await write(cluster, { sql: 'create table kept (id int primary key, v text)' })
  await write(cluster, { sql: 'create table written (id int primary key)' })

  await t.test('that last hurt no other client', async t => {
    const quiet = await bystander(cluster, performance.now() + 2_000)
    const untilMs = performance.now() + ATTACK_MS
    const attacking = attack(cluster, untilMs)
    const times = await bystander(cluster, untilMs)
    const told = (of: readonly number[]) =>
      `median ${of[of.length >> 1]?.toFixed(1)} ms, worst ${of.at(-1)?.toFixed(1)} ms`
    t.comment(`alone: ${told(quiet)}; beside the attackers: ${told(times)}`)
    t.ok((times.at(-1) ?? 0) < WORST_MS)
    await attacking
  })

  await t.test('that end two workers are given to no third one', async t => {
    const readers = Readers.start(t, cluster)
    const asked = call(`POST ${cluster.url}/api/v1/db/read`, { body: { sql: HARMFUL } })
    let last: string | null = null
    for (const _ of ['first', 'second']) {
      last = await executing(cluster, last)
      await cluster.kill(`worker ${last}`)
    }
    const answer: Answer = await asked
    t.match(answer, { status: 422, body: { code: 'CONVOY_REQUEST_HARMFUL' } })
    const again = await call(`POST ${cluster.url}/api/v1/db/read`, { body: { sql: HARMFUL } })
    t.match(again, { status: 422, body: { code: 'CONVOY_REQUEST_HARMFUL' } }, 'for a while')
    await cluster.healed()
    const { answered, errors } = await readers.stop()
    t.strictSame(errors, [], 'bystanders lose nothing')
    t.ok(answered > 0)
  })
})
