/**
 * Replacing a worker succeeds whatever happens to those that are to replace it; and in
 * states in which no write can succeed, `/readyz` and `stuck` say so, with the reason.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { readiness, untilReady, untilReason } from './readiness.ts'

const KILLS = 6
const SEEN_MS = 20_000
/** A session ends, the silence is noticed, and a copy is made. */
const REPLACED_MS = 90_000

interface Copier {
  readonly pid: number
  /** Of the worker that it copies for. */
  readonly worker: number
}

const cluster = await startCluster(t)
const INSERT = { sql: 'insert into things (v) values (repeat($1, 500))', params: ['x'] }

await write(cluster, {
  sql: 'create table things (id bigint generated always as identity primary key, v text)'
})
for (let i = 0; i < 20; i++) await write(cluster, ...Array.from({ length: 20 }, () => INSERT))

await t.test('workers that are killed as they copy leave nothing in the way', async t => {
  const dead = await loseReplicas()
  const waiting = tryWrite(cluster, [INSERT])
  const killed = new Set<number>()
  while (killed.size < KILLS) {
    const { worker } = await nextCopier(killed)
    await sleep(Math.random() * 200)
    killed.add(worker)
    signal(worker, 'SIGKILL')
  }
  const startedMs = performance.now()
  await waiting
  await cluster.healed([...dead, ...killed])
  t.comment(`whole again ${Math.round(performance.now() - startedMs)} ms after the last kill`)
  // Writes that nobody answered are remembered for 3 s.
  await untilReady(cluster)
  t.strictSame(await readiness(cluster), { ready: true, missing: [] })
  await write(cluster, INSERT)
  await equalOnAllWorkers(t, cluster)
})

await t.test(
  'while copies are missing it is said who becomes one; frozen ones are replaced',
  async t => {
    const dead = await loseReplicas()
    const frozen = new Set<number>()
    while (frozen.size < 2) {
      const { worker } = await nextCopier(frozen)
      frozen.add(worker)
      signal(worker, 'SIGSTOP')
    }
    t.match(await untilReason(cluster, 'tooFewCopies'), /1 of at least 2 in-sync workers serve/)
    const { body } = await call(`GET ${cluster.url}/api/v1/cluster`)
    t.equal((body as { stuck: { why: string } }).stuck.why, 'tooFewCopies')
    await cluster.healed([...dead, ...frozen], { withinMs: REPLACED_MS })
    await write(cluster, INSERT)
    await equalOnAllWorkers(t, cluster)
  }
)

await t.test('an alarm of RabbitMQ is told without a write, and passes', async t => {
  const file = join(cluster.folder.rabbitMq, 'rabbitmq.conf')
  const conf = readFileSync(file, 'utf8')
  writeFileSync(file, conf.replace(/(vm_memory_high_watermark\.absolute) = .*/, '$1 = 1MB'))
  await cluster.kill('rabbitmq')
  t.match(await untilReason(cluster, 'rabbitMQBlocks'), 'RabbitMQ takes no messages')
  writeFileSync(file, conf)
  await cluster.kill('rabbitmq')
  await untilReady(cluster)
  await write(cluster, INSERT)
})

await t.test('writes that an operator has disabled are told, and reads go on', async t => {
  const change = (path: string) =>
    call(`POST ${cluster.url}/api/v1/controls/${path}`, { body: { operation: 'db.write' } })
  t.equal((await change('disable')).status, 200)
  await untilReason(cluster, 'writesDisabled')
  t.equal((await read(cluster, 'select count(*) as n from things')).rows.length, 1)
  t.equal((await change('enable')).status, 200)
  await untilReady(cluster)
  await write(cluster, INSERT)
})

/** @returns the pids that were killed */
async function loseReplicas(): Promise<number[]> {
  const { workers } = await cluster.now()
  const replicas = workers.filter(({ role }) => role === 'replica')
  const lost = replicas.map(({ id }) => cluster.lose(`worker ${id}`))
  return (await Promise.all(lost)).flat()
}

/** One that copies for a worker that is not among `known`. */
function nextCopier(known: ReadonlySet<number>): Promise<Copier> {
  return until('another copy', { withinMs: SEEN_MS }, () =>
    copiers().find(({ worker }) => !known.has(worker))
  )
}

function copiers(): Copier[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.flatMap(pid => {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'pg_basebackup\n') return []
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const place = join(command[command.indexOf('--pgdata') + 1] ?? '', '..')
      const file = join(cluster.folder.workers, basename(place), 'worker.pid')
      return [{ pid, worker: (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid }]
    } catch {
      return [] // It has ended, or copies for another system.
    }
  })
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}
