/**
 * `convoy backup` and `convoy restore`: what is brought back is what was there, at one index,
 * and nobody who uses the cluster notices. The load goes on meanwhile.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { Folder } from '../../local/folder.ts'
import { type Cluster, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, rowsIn } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { convoy } from './command.ts'
import { OWN_TYPES, TYPES } from './values.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const FREED_MS = 10_000
/** As slow as PostgreSQL can: half a minute for an empty database. */
const SLOW = '/api/v1/cluster/backup?maxRateKBps=32'

const STATIC = {
  sql: 'insert into counted (name) values ($1) returning id',
  params: ['before the backup']
}
const KEY = 'asked-before-the-backup'
const IN_ORDER = 'select id, value from written order by id'

interface Verified {
  readonly tables: readonly { readonly table: string; readonly sum: string }[]
  readonly workers: readonly { readonly equal: boolean }[]
}

interface Restored {
  readonly head: { readonly index: number; readonly clusterId: string }
  readonly end: { readonly index: number; readonly term: number }
  readonly clusterId: string
}

/** `convoy verify`. @returns sums by table */
async function verify(t: Test, { folder }: Cluster): Promise<Record<string, string>> {
  const { code, out, err } = await convoy(['verify', '--json', '--folder', folder.root])
  t.strictSame([code, err], [0, ''])
  const { tables, workers } = JSON.parse(out) as Verified
  t.strictSame(
    workers.map(({ equal }) => equal),
    [true, true, true]
  )
  return Object.fromEntries(tables.map(({ table, sum }) => [table, sum]))
}

/** All types, and a write whose answer is to be remembered. @returns that answer */
async function fill(cluster: Cluster): Promise<unknown> {
  const columns = TYPES.map(({ type }, n) => `c${n} ${type}`)
  const places = TYPES.map((_, n) => `$${n + 1}`)
  await write(
    cluster,
    ...OWN_TYPES.map(sql => ({ sql })),
    { sql: `create table typed (id bigint generated always as identity primary key, ${columns})` },
    { sql: 'create table counted (id bigserial primary key, name text not null)' }
  )
  const names = columns.map(column => column.split(' ')[0])
  const sql = `insert into typed (${names}) values (${places})`
  for (const nth of [0, -1]) {
    await write(cluster, { sql, params: TYPES.map(({ texts }) => texts.at(nth) ?? null) })
  }
  return (await tryWrite(cluster, [STATIC], KEY)).body
}

const workersIn = ({ workers }: Folder) => readdirSync(workers).filter(name => name[0] !== '.')

const cluster = await startCluster(t)
const answer = await fill(cluster)
const file = join(cluster.folder.root, 'backup.tar.gz')
const inCluster = ['--folder', cluster.folder.root]

/** Undefined while another one runs. */
async function beginSlowly(): Promise<AbortController | undefined> {
  const ended = new AbortController()
  const { status } = await fetch(`${cluster.url}${SLOW}`, { signal: ended.signal })
  return status === 200 ? ended : undefined
}

await t.test('one backup at a time; one whose client has gone is over', async t => {
  const slow = await beginSlowly()
  t.ok(slow)
  const { status, body } = await call(`GET ${cluster.url}${SLOW}`)
  t.strictSame([status, (body as { code: string }).code], [409, 'CONVOY_BACKUP_RUNNING'])
  slow?.abort()
  const next = await until('the next backup to begin', { withinMs: FREED_MS }, beginSlowly)
  next.abort()
})

let acknowledged: readonly string[] = []

await t.test('a backup is taken while clients write, and none of them fails', async t => {
  const earlier = await Writers.start(t, cluster, { clients: 4, perS: 50 })
  await earlier.more(50)
  acknowledged = (await earlier.stop()).acknowledged
  const writers = await Writers.start(t, cluster, { clients: 8, perS: 100 })
  const taken = await until('a backup', { withinMs: FREED_MS }, async () => {
    const done = await convoy(['backup', file, '--json', ...inCluster])
    return /RUNNING/.test(done.err) ? undefined : done
  })
  await writers.more(20)
  const meanwhile = await writers.stop()
  t.strictSame([taken.code, taken.err], [0, ''])
  t.strictSame(meanwhile.errors, [])
  t.comment(
    `longest gap between writes: ${meanwhile.longestGapMs.toFixed(0)} ms; ` +
      `slowest: ${meanwhile.slowestMs.toFixed(0)} ms; ${meanwhile.perS.toFixed(0)}/s`
  )
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(readdirSync(cluster.folder.root).some(name => name.endsWith('.partial')))
  const again = await convoy(['backup', file, ...inCluster])
  t.equal(again.code, 2)
  t.match(again.err, '--force')
})

await t.test('a system that runs is not restored into', async t => {
  const { code, err } = await convoy(['restore', file, '--fresh', '--yes', ...inCluster])
  t.equal(code, 1)
  t.match(err, 'runs already')
})

let old: {
  readonly sums: Readonly<Record<string, string>>
  readonly written: readonly unknown[]
  readonly clusterId: unknown
}

await t.test('the original is looked at, and stopped', async t => {
  const { clusterId } = (await call(`GET ${cluster.url}/api/v1/cluster`)).body as {
    clusterId: string
  }
  old = { sums: await verify(t, cluster), written: (await read(cluster, IN_ORDER)).rows, clusterId }
  await cluster.stop()
})

await t.test('what is damaged is refused, and nothing is changed', async t => {
  const whole = readFileSync(file)
  const flipped = Buffer.from(whole)
  const middle = whole.length >> 1
  flipped[middle] = (flipped[middle] ?? 0) ^ 1
  const tar = gunzipSync(whole)
  const at = tar.indexOf('before the backup') // In a page of the table itself.
  tar.write('BEFORE', at)
  const damaged = {
    'a byte': flipped,
    'its end': whole.subarray(0, whole.length - 1_000),
    'a row, packed again': gzipSync(tar, { level: 1 }),
    everything: Buffer.from('no backup')
  }
  const workers = workersIn(cluster.folder)
  for (const [what, bytes] of Object.entries(damaged)) {
    const bad = join(cluster.folder.root, 'bad.tar.gz')
    writeFileSync(bad, bytes)
    const words = ['restore', bad, '--fresh', '--yes', '--foreign']
    const { code, err } = await convoy([...words, ...inCluster])
    t.equal(code, 1, what)
    t.match(err, /is no whole backup|is damaged/, what)
    t.strictSame(workersIn(cluster.folder), workers)
  }
  const refused = await convoy(['restore', file, ...inCluster])
  t.equal(refused.code, 1)
  t.match(refused.err, 'has data already')
  t.strictSame(workersIn(cluster.folder), workers)
})

await t.test('a file that somebody else has made is restored on request alone', async t => {
  const unsealed = join(cluster.folder.root, 'bad.tar.gz')
  writeFileSync(unsealed, gzipSync(gunzipSync(readFileSync(file)), { level: 1 }))
  const workers = workersIn(cluster.folder)
  const { code, err } = await convoy(['restore', unsealed, '--fresh', '--yes', ...inCluster])
  t.equal(code, 1)
  t.match(err, 'This installation has not made this backup')
  t.match(err, '--foreign')
  t.strictSame(workersIn(cluster.folder), workers)
})

await t.test('a restored cluster is the old one as of one index', async t => {
  let restored: Restored | undefined
  const copy = await startCluster(t, {
    async prepare({ folder, name }) {
      // The new folder has secrets of its own.
      const words = ['restore', file, '--json', '--foreign', '--folder', folder.root]
      const { code, out, err } = await convoy(words, { env: { CONVOY_CLUSTER: name } })
      t.strictSame([code, err], [0, ''])
      restored = JSON.parse(out) as Restored
    }
  })
  t.equal(restored?.head.clusterId, old.clusterId)
  t.not(restored?.clusterId, old.clusterId)
  t.ok((restored?.end.index ?? 0) >= (restored?.head.index ?? Infinity))

  const { rows } = await read(copy, IN_ORDER)
  t.strictSame(rows, old.written.slice(0, rows.length), 'the first writes, in their order')
  t.ok(rows.length >= acknowledged.length)
  t.comment(`${rows.length} of ${old.written.length} rows; index ${restored?.end.index}`)
  await onceOnAllWorkers(t, copy, { acknowledged })
  const inCopy = await verify(t, copy)
  for (const table of ['typed', 'counted']) t.equal(inCopy[table], old.sums[table], table)
  await equalOnAllWorkers(t, copy)
  await remembers(t, copy)
})

await t.test('with --fresh it takes the place of what is there', async t => {
  const { root } = cluster.folder
  const settings = JSON.parse(readFileSync(join(root, 'settings.json'), 'utf8'))
  const env = { CONVOY_CLUSTER: settings.CONVOY_CLUSTER }
  const restored = await convoy(['restore', file, '--fresh', '--yes', ...inCluster], { env })
  t.strictSame([restored.code, restored.err], [0, ''])
  t.equal(workersIn(cluster.folder).length, 1)
  t.notOk(['restoring', 'replaced'].some(name => existsSync(join(root, name))))
  await cluster.start()
  await cluster.healed()
  const { sums } = old
  const now = await verify(t, cluster)
  for (const table of ['typed', 'counted']) t.equal(now[table], sums[table], table)
  await onceOnAllWorkers(t, cluster, { acknowledged })
})

async function remembers(t: Test, copy: Cluster): Promise<void> {
  t.strictSame((await tryWrite(copy, [STATIC], KEY)).body, answer, 'the same answer to the same id')
  const other = await tryWrite(copy, [{ sql: 'insert into counted (name) values (1)' }], KEY)
  t.equal(other.status, 422)
  const { results } = await write(copy, STATIC)
  t.strictSame(results[0]?.rows, [{ id: '2' }], 'sequences go on')
  for (const place of placesOf(copy)) {
    t.strictSame(await rowsIn(place, 'select count(*)::text as n from counted'), [{ n: '2' }])
  }
}
