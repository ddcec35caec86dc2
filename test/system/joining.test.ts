/**
 * A worker that nobody expected joins a busy cluster: clients do not notice, and it
 * ends with the same rows as the others.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { findSoftware } from '../../local/install/software.ts'
import { keptSecrets } from '../../local/secrets.ts'
import { type Cluster, type Place, placeAt, startCluster } from '../../testing/cluster/cluster.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { until } from '../../testing/wait.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url))
const JOINED_MS = 30_000
const STALL_MAX_MS = 500
const STOPPED_MS = 15_000

const cluster = await startCluster(t)

await t.test('a fourth worker, started by hand, joins during 500 writes/s', async t => {
  const writers = await Writers.start(t, cluster, { clients: 16, perS: 500 })
  await writers.more(1_000)
  const fourth = await startByHand(t, cluster)
  const inSync = await until('the fourth worker in sync', { withinMs: JOINED_MS }, async () => {
    const now = await cluster.now()
    return now.inSync.includes(fourth.workerId) ? now.inSync : undefined
  })
  t.equal(inSync.length, 4)
  await writers.more(1_000)
  const report = await writers.stop()
  t.strictSame(report.errors, [])
  const [perS, gapMs] = [Math.round(report.perS), Math.round(report.longestGapMs)]
  t.comment(`${perS} writes/s, none acknowledged for ${gapMs} ms`)
  t.ok(report.longestGapMs < STALL_MAX_MS, `no stall over ${STALL_MAX_MS} ms`)
  const more = [fourth]
  await onceOnAllWorkers(t, cluster, { ...report, more })
  await equalOnAllWorkers(t, cluster, more)
})

/** As an operator would: the system's own settings, and a folder. @returns when it has its data */
async function startByHand(t: Test, { folder }: Cluster): Promise<Place> {
  const dir = join(folder.root, 'fourth')
  mkdirSync(dir, { mode: 0o711 })
  const secrets = keptSecrets(folder.secretsFile)
  const worker = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      ...(JSON.parse(readFileSync(join(folder.root, 'settings.json'), 'utf8')) as object),
      CONVOY_WORKER_DIR: dir,
      CONVOY_POSTGRES_BIN: findSoftware().software?.postgresBin,
      CONVOY_CLONE_PASSWORD: secrets.clonePassword,
      CONVOY_STORE_SECRET: secrets.storeSecret,
      CONVOY_LOG_LEVEL: 'warn'
    },
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const exited = once(worker, 'exit')
  t.teardown(async () => {
    const hung = setTimeout(() => worker.kill('SIGKILL'), STOPPED_MS)
    worker.kill('SIGTERM')
    await exited
    clearTimeout(hung)
  })
  return until('the data of the fourth worker', { withinMs: JOINED_MS }, () =>
    existsSync(join(dir, 'worker.json')) ? placeAt(dir) : undefined
  )
}
