/**
 * Statements whose errors look like a broken server's, or that take long, from one client: each is
 * that client's own affair. No election, no worker lost, and another client is served meanwhile.
 */
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import { read, type Statement, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'

/** What another client waits at most, promised on a machine with nothing else to do. */
const BYSTANDER_MS = 1_500
/** The machine may be doing other things. */
const BUSY = 3

const cluster = await startCluster(t)
await write(
  cluster,
  { sql: 'create table seats (title text primary key, seats int not null)' },
  { sql: 'create table seen (id bigint generated always as identity primary key, v text)' }
)

/** Of a client of its own: by its address, since no tokens are set. */
function insertElsewhere(): Promise<{ status: number; ms: number }> {
  const sinceMs = performance.now()
  const { hostname, port } = new URL(cluster.url)
  const body = JSON.stringify({ statements: [{ sql: "insert into seen (v) values ('x')" }] })
  const asked = request({
    ...{ method: 'POST', hostname, port, path: '/api/v1/db/write', localAddress: '127.0.0.2' },
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  })
  return new Promise((resolve, reject) => {
    asked.on('error', reject).on('response', response => {
      const status = response.statusCode ?? 0
      response.resume().on('end', () => resolve({ status, ms: performance.now() - sinceMs }))
    })
    asked.end(body)
  })
}

/** Another client writes while `attack` goes on. Workers and term stay what they are. */
async function harmless(t: Test, of: Cluster, attack: () => Promise<unknown>): Promise<void> {
  const before = await of.healed()
  const answers: { status: number; ms: number }[] = []
  let attacking = true
  const bystander = (async () => {
    while (attacking) answers.push(await insertElsewhere())
  })()
  await attack()
  attacking = false
  await bystander
  const slowestMs = Math.round(Math.max(...answers.map(({ ms }) => ms)))
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.ok(slowestMs < BUSY * BYSTANDER_MS, `${answers.length} writes, the slowest in ${slowestMs} ms`)
  const after = await of.healed()
  const who = ({ term, master, workers }: typeof before) => ({
    ...{ term, master },
    workers: workers.map(({ id, pid }) => `${id} ${pid}`).sort()
  })
  t.strictSame(who(after), who(before), 'no election, and no worker lost')
}

/** None of these is in a list of the product. */
const LIKE_SERVER_ERRORS = [
  "select (row('5')).f1::int",
  'select pg_tablespace_location(1)',
  "select float4_accum('{1,2}', 1)",
  "select interval_avg('{}')",
  "select array_in('{1}', 0, -1)",
  "select ts_lexize(1::regdictionary, 'x')",
  'select pg_describe_object(1, 1, 1)',
  "select repeat('x', 700000000)"
]

t.test('errors of the classes XX, 58 and 53 are told to whoever sent the statement', t =>
  harmless(t, cluster, async () => {
    for (const sql of LIKE_SERVER_ERRORS) {
      const answer = await tryWrite(cluster, [
        { sql: "insert into seats values ('x', 1)" },
        { sql }
      ])
      t.match(answer, { status: 400, body: { code: 'CONVOY_SQL', statement: 1 } }, sql)
      for (const consistency of ['replica', 'strong'] as const) {
        await t.rejects(read(cluster, sql, { consistency }), /answered 400.*CONVOY_SQL/, sql)
      }
    }
  })
)

t.test('an unmet expectation is one, whatever follows it', t =>
  harmless(t, cluster, async () => {
    const unmet: Statement = { sql: 'update seats set seats = 0', expectRows: 1 }
    const behind = [
      'insert into seats values (1, null)',
      'select 1 / 0',
      'select * from nonsense',
      "select float8_avg('{1}')",
      "insert into seats values ('y', 1)"
    ]
    for (const sql of behind) {
      const answers = await Promise.all([
        tryWrite(cluster, [unmet, { sql }]),
        tryWrite(cluster, [{ sql }, unmet, { sql }]),
        tryWrite(cluster, [unmet])
      ])
      for (const { status } of answers) t.ok(status === 400 || status === 409, `${status}: ${sql}`)
      t.match(answers[0], { status: 409, body: { code: 'CONVOY_EXPECTATION_FAILED' } }, sql)
    }
    t.match(await read(cluster, 'select count(*) from seats'), { rows: [{ count: '0' }] })
  })
)

t.test('catalog reads beside schema changes are answered', t =>
  harmless(t, cluster, async () => {
    let changing = true
    const reader = async (sql: string) => {
      while (changing) await read(cluster, sql, { consistency: 'replica' })
    }
    const readers = [
      reader('select count(*) from pg_sequences where last_value is null'),
      reader('select max(length(indexdef)) from pg_indexes')
    ]
    for (let i = 0; i < 25; i++) {
      await write(cluster, { sql: 'create table gone (id serial primary key, v text unique)' })
      await write(cluster, { sql: 'drop table gone' })
    }
    changing = false
    await Promise.all(readers)
  })
)

t.test('many slow statements of one write have one budget, and others do not wait for it', t =>
  harmless(t, cluster, async () => {
    const slow = 'select count(*) from generate_series(1, 6000) a, generate_series(1, 6000) b'
    const statements = Array.from({ length: 30 }, () => ({ sql: slow }))
    const answers = await Promise.all([1, 2, 3].map(() => tryWrite(cluster, statements)))
    for (const { status, body } of answers) {
      t.ok(status === 400 || status === 504, `${status}: ${JSON.stringify(body)}`)
    }
  })
)

t.test('the workers are equal at the end', async t => void (await equalOnAllWorkers(t, cluster)))
