/**
 * Any sequence of retries of one call, at any time and under any fault, ends in one ride and
 * one answer. Clients hang up at random and send the same call with the same key again, while
 * processes are killed and paused. An undecided outcome is 503 or 504, never a 4xx.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { request } from 'undici'
import { startCluster, type Victim } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'
import { lasting } from '../../testing/cluster/faults.ts'
import { newUser } from '../../testing/convoy.ts'
import { Dice } from '../../testing/random.ts'
import { until } from '../../testing/wait.ts'

const SEED = Math.floor(Math.random() * 1e6)
const CALLS = 40
const ATTEMPTS = 6
const FAULTS_MS = 25_000
const SETTLED_MS = 60_000
const UNDECIDED = new Set([502, 503, 504])
const KILLED: readonly Victim[] = ['master', 'replica', 'rides-api', 'users-api', 'orchestrator']
const PAUSED: readonly Victim[] = ['master', 'replica', "the master's database"]

const cluster = await startCluster(t)
const convoy = { lb: cluster.lbUrl, usersApi: [], ridesApi: [] }

interface Call {
  readonly user: string
  readonly key: string
  readonly body: string
  /** What was told: status, and where the ride is. */
  readonly told: string[]
}

/** @returns the status; undefined when the client hung up or the connection broke */
async function attempt(call: Call, patienceMs: number): Promise<number | undefined> {
  try {
    const { statusCode, headers, body } = await request(`${cluster.lbUrl}/api/v1/rides`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': call.key },
      body: call.body,
      signal: AbortSignal.timeout(patienceMs)
    })
    const text = await body.text()
    if (!UNDECIDED.has(statusCode)) {
      call.told.push(`${statusCode} ${headers['location'] ?? text}`)
    }
    return statusCode
  } catch {
    return undefined
  }
}

async function insist(call: Call, dice: Dice): Promise<void> {
  for (let n = 0; n < ATTEMPTS; n++) {
    await attempt(call, dice.between(20, 4_000))
    await sleep(dice.between(0, 3_000))
  }
}

async function harm(dice: Dice): Promise<void> {
  const endMs = performance.now() + FAULTS_MS
  while (performance.now() < endMs) {
    await sleep(dice.between(500, 3_000))
    const kills = dice.chance(0.6)
    const victim = dice.pick(kills ? KILLED : PAUSED) ?? 'master'
    const struck = kills
      ? cluster.kill(victim)
      : lasting(dice.between(200, 2_500), cluster.pause(victim))
    await struck.catch(() => undefined) // It was not there just now.
  }
}

await t.test(`retries under faults, seed ${SEED}`, async t => {
  const dice = new Dice(SEED)
  const calls: Call[] = []
  for (let n = 0; n < CALLS; n++) {
    const user = await newUser(convoy)
    const ride = { created_by: user, timestamp: '01-02-2090:03-04-05', source: 1, destination: 2 }
    calls.push({ user, key: `retry-${SEED}-${n}`, body: JSON.stringify(ride), told: [] })
  }
  await Promise.all([harm(dice), ...calls.map((call, n) => insist(call, new Dice(SEED + n)))])
  await cluster.healed()
  for (const call of calls) {
    await until(`an answer for ${call.key}`, { withinMs: SETTLED_MS }, async () => {
      const status = await attempt(call, 12_000)
      return status === undefined || UNDECIDED.has(status) ? undefined : status
    })
  }
  const wrong = calls.filter(({ told }) => new Set(told).size !== 1 || !/^201 /.test(told[0] ?? ''))
  t.strictSame(wrong, [], 'one answer for each call')
  const { rows } = await read(
    cluster,
    'select created_by, count(*)::int as n from rides group by 1 having count(*) <> 1'
  )
  t.strictSame(rows, [], 'one ride for each call')
  const all = await read(cluster, 'select count(*)::int as n from rides')
  t.strictSame(all.rows, [{ n: CALLS }])
})

await t.test('the same key with another ride is refused', async t => {
  const user = await newUser(convoy)
  const call = (source: number): Call => ({
    ...{ user, key: `reused-${SEED}`, told: [] },
    body: JSON.stringify({
      ...{ created_by: user, timestamp: '01-02-2090:03-04-05', source, destination: 9 }
    })
  })
  t.equal(await attempt(call(1), 12_000), 201)
  t.equal(await attempt(call(2), 12_000), 422)
  t.equal(await attempt(call(1), 12_000), 201)
})
