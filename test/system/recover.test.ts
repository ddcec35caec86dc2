/**
 * What no cluster may decide for itself: every in-sync worker is lost, or ZooKeeper has
 * lost its memory. It says so plainly, and an operator chooses with `npm run recover`.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { type Cluster, type Place, placesOf, startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { allPidsOf, pidsOf } from '../../testing/cluster/victims.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { convoy } from './command.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const SEEN_MS = 20_000

interface Shown {
  readonly term: number
  readonly stuck: { readonly why: string; readonly missing: readonly { id: string }[] } | null
  readonly keepDiverged: boolean
  readonly workers: readonly {
    id: string
    role: string
    index: number
    diverged: boolean
    trouble: string | null
    keptMiB: number | null
  }[]
}

const shown = async ({ url }: Cluster) => (await call(`GET ${url}/api/v1/cluster`)).body as Shown

async function readyz({ url }: Cluster): Promise<{ status: number; missing: string }> {
  const { status, body } = await call(`GET ${url}/readyz`)
  return { status, missing: (body as { missing: string[] }).missing.join('; ') }
}

const recover = ({ folder }: Cluster, ...args: string[]) =>
  convoy(['recover', '--folder', folder.root, ...args])

/** Kills workers at the same moment, and takes their folders away. @returns what brings one back */
async function takeAway(cluster: Cluster, places: readonly Place[]) {
  const pids: number[] = []
  for (const { workerId } of places) {
    const found = [
      ...(await pidsOf(`worker ${workerId}`, cluster)),
      ...(await allPidsOf(`database of ${workerId}`, cluster))
    ]
    for (const pid of found) process.kill(pid, 'SIGSTOP')
    pids.push(...found)
  }
  const away = join(cluster.folder.root, 'away')
  mkdirSync(away, { mode: 0o711, recursive: true })
  for (const { dir } of places) renameSync(dir, join(away, basename(dir)))
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  return ({ dir }: Place) => renameSync(join(away, basename(dir)), dir)
}

const COUNT = 'select count(*) as n from things'
const countOf = async (cluster: Cluster) => Number((await read(cluster, COUNT)).rows[0]?.['n'])

await t.test('every in-sync worker is lost: an operator chooses, and knows the loss', async t => {
  const cluster = await startCluster(t)
  await write(cluster, {
    sql: 'create table things (id bigint generated always as identity primary key)'
  })
  const insert = { sql: 'insert into things default values' }
  await write(cluster, insert)
  const survivor = await leaveOneBehind(cluster, insert)
  const lost = placesOf(cluster)
  const bringBack = await takeAway(cluster, lost)
  survivor.bringBack()

  const stuck = await until(
    'the cluster to say that it is stuck',
    { withinMs: SEEN_MS },
    async () => {
      const now = await shown(cluster)
      const isBack = now.workers.some(({ id, role }) => id === survivor.id && role !== 'starting')
      return now.stuck !== null && isBack ? now : undefined
    }
  )
  t.equal(stuck.stuck?.why, 'inSyncGone')
  const ids = lost.map(({ workerId }) => workerId).sort()
  t.strictSame(stuck.stuck?.missing.map(({ id }) => id).sort(), ids)
  const { status, missing } = await readyz(cluster)
  t.equal(status, 503)
  for (const id of ids) t.match(missing, id)
  t.match(missing, 'npm run recover')

  const look = await recover(cluster)
  t.strictSame([look.code, look.err], [0, ''])
  t.match(look.out, `--survivor ${survivor.id} --accept-loss`)
  t.match(look.out, 'loses at least 10 entries')
  const asked = await recover(cluster, '--survivor', survivor.id)
  t.match(asked.out, 'Nothing is changed')
  t.equal((await shown(cluster)).term, stuck.term)

  const done = await recover(cluster, '--survivor', survivor.id, '--accept-loss')
  t.strictSame([done.code, done.err], [0, ''])
  await cluster.healed()
  t.equal(await countOf(cluster), 1, 'what the survivor had')
  await write(cluster, insert)
  t.equal(await countOf(cluster), 2)
  await keepsWhatReturns(t, cluster, { lost, bringBack })
})

/** Takes a replica away, and lets the others write ten times when it is replaced. */
async function leaveOneBehind(cluster: Cluster, insert: { sql: string }) {
  const { master } = await cluster.now()
  const behind = placesOf(cluster).find(({ workerId }) => workerId !== master)
  if (behind === undefined) throw new Error('there is no replica')
  const dead = await pidsOf(`worker ${behind.workerId}`, cluster)
  const bringBack = await takeAway(cluster, [behind])
  await cluster.healed(dead)
  let end = 0
  for (let i = 0; i < 10; i++) end = (await write(cluster, insert)).index
  await until('all znodes to tell of that', { withinMs: SEEN_MS }, async () => {
    const { workers } = await shown(cluster)
    return workers.every(({ index }) => index >= end) ? true : undefined
  })
  return { id: behind.workerId, bringBack: () => bringBack(behind) }
}

async function keepsWhatReturns(
  t: Test,
  cluster: Cluster,
  { lost, bringBack }: { lost: readonly Place[]; bringBack: (place: Place) => void }
): Promise<void> {
  const [back] = lost
  if (back === undefined) throw new Error('nobody was lost')
  bringBack(back)
  const kept = await until('the one that returned', { withinMs: SEEN_MS }, async () => {
    const { workers } = await shown(cluster)
    return workers.find(({ id, diverged }) => id === back.workerId && diverged)
  })
  t.match(kept.trouble, /log holds entries.*kept until/)
  await until('the size of what is kept', { withinMs: SEEN_MS }, async () => {
    const { workers } = await shown(cluster)
    return (
      workers.some(({ id, keptMiB }) => id === back.workerId && (keptMiB ?? 0) > 0) || undefined
    )
  })
  const status = await convoy(['status', '--folder', cluster.folder.root])
  t.match(status.out, new RegExp(`kept since a recovery.*${back.workerId}.*MiB`))
  await write(cluster, { sql: 'insert into things default values' })
  const refused = await recover(cluster, '--survivor', back.workerId, '--accept-loss')
  t.equal(refused.code, 1)
  t.match(refused.out, 'nothing to recover')
  // That took longer than an unnamed worker keeps what nobody wants.
  t.ok(placesOf(cluster).some(({ workerId }) => workerId === back.workerId))
  t.equal((await recover(cluster, '--forget')).code, 0)
  await until('its data to be let go', { withinMs: SEEN_MS }, () => {
    return placesOf(cluster).some(({ workerId }) => workerId === back.workerId) ? undefined : true
  })
  await cluster.healed()
  t.equal((await shown(cluster)).keepDiverged, false)
  await equalOnAllWorkers(t, cluster)
}

await t.test('ZooKeeper loses its memory: nothing is lost, and nobody is cloned', async t => {
  const cluster = await startCluster(t)
  const writers = await Writers.start(t, cluster, { clients: 4, perS: 50 })
  await writers.more(50)
  const report = await writers.stop()
  const before = await cluster.now()
  const away = await cluster.down('zookeeper', { forgets: true })
  await away.heal()
  await until('all workers to be fenced', { withinMs: SEEN_MS }, async () => {
    const { workers, stuck } = await shown(cluster)
    const fenced = workers.filter(({ role }) => role === 'fenced')
    return stuck?.why === 'memoryLost' && fenced.length === 3 ? true : undefined
  })
  const { status, missing } = await readyz(cluster)
  t.equal(status, 503)
  t.match(missing, 'ZooKeeper has lost its memory')
  const refused = await tryWrite(cluster, [{ sql: 'insert into written (value) values (1)' }])
  t.ok(refused.status >= 500, 'no write is taken')

  const look = await recover(cluster)
  t.match(look.out, 'no entry is known that it does not have')
  t.equal((await shown(cluster)).term, 0, 'looking changes nothing')
  const done = await recover(cluster, '--accept-loss')
  t.strictSame([done.code, done.err], [0, ''])
  const after = await cluster.healed()
  t.ok(after.term > before.term, 'a term above all of theirs')
  t.strictSame([...after.inSync].sort(), [...before.inSync].sort(), 'the same workers')
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
})

await t.test('a system that starts waits for an operator, and says so', async t => {
  const said: string[] = []
  const cluster = await startCluster(t, { say: line => said.push(line) })
  const writers = await Writers.start(t, cluster, { clients: 4, perS: 50 })
  await writers.more(50)
  const report = await writers.stop()
  const before = await cluster.now()
  await cluster.stop()
  rmSync(join(cluster.folder.zooKeeper, 'data'), { recursive: true })
  said.length = 0
  const starting = cluster.start()
  await until('it to say what it waits for', { withinMs: 2 * SEEN_MS }, () => {
    return said.some(line => line.includes('npm run recover')) ? true : undefined
  })
  const done = await recover(cluster, '--accept-loss')
  t.strictSame([done.code, done.err], [0, ''])
  await starting
  t.strictSame([...(await cluster.healed()).inSync].sort(), [...before.inSync].sort())
  await onceOnAllWorkers(t, cluster, report)
})
