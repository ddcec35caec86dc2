/**
 * Where a worker's data comes from: its own folder, a copy of another worker, or,
 * in a cluster that nobody has led yet, a new empty database.
 * Invariant: `/state` is never made here. Without it a new worker waits for
 * `convoy init`, and one with data for the operator.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../platform/log.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import { type ClusterState, STATE, WORKERS, type WorkerNode } from '../wire/znodes.ts'
import type { WorkerConfig } from './config.ts'
import { chooseDonor } from './donor.ts'
import { type Home, type Identity, newWorkerId } from './home.ts'
import { clonePostgres } from './postgres/clone.ts'
import { hasDatabase, initDatabase } from './postgres/server.ts'
import type { Registration } from './registration.ts'

const POLL_MS = 200
const CLONE_RETRY_MS = 1_000
const TROUBLE_CHARS_MAX = 300

export interface Origin {
  readonly identity: Identity
  readonly from: 'own data' | 'new database' | 'copy'
  /** What the copy took; 0 without one. */
  readonly cloneMs: number
}

/** By donor: how often a copy from it has failed. */
type Failures = Map<string, number>

interface Means {
  readonly home: Home
  readonly zookeeper: ZooKeeper
  readonly config: WorkerConfig
  readonly registration: Registration
  readonly log: Logger
}

export async function prepareData(means: Means): Promise<Origin> {
  const { home, log } = means
  const known = home.identity()
  if (known !== null && (await hasDatabase(home.dir))) {
    return { identity: known, from: 'own data', cloneMs: 0 }
  }
  await home.forget()
  const workerId = newWorkerId()
  const failures: Failures = new Map()
  for (let attempt = 0; ; attempt++) {
    const cluster = await stateOf(means.zookeeper)
    if (cluster === undefined) {
      if (attempt % 25 === 0) log.info('waiting for the cluster to be made (`convoy init`)')
      await sleep(POLL_MS)
      continue
    }
    const identity = { workerId, clusterId: cluster.clusterId }
    const beganMs = performance.now()
    const from = await obtain(means, { cluster, workerId, failures })
    if (from === null) continue
    await home.settle(identity)
    return { identity, from, cloneMs: from === 'copy' ? performance.now() - beganMs : 0 }
  }
}

async function stateOf(zookeeper: ZooKeeper): Promise<ClusterState | undefined> {
  try {
    const node = await zookeeper.read(STATE)
    return node === undefined ? undefined : (JSON.parse(node.data) as ClusterState)
  } catch (error) {
    if (error instanceof ZooKeeperUnavailableError) return undefined
    throw error
  }
}

/** @returns null when there was nothing to take it from; try again */
async function obtain(
  means: Means,
  { cluster, workerId, failures }: { cluster: ClusterState; workerId: string; failures: Failures }
): Promise<'new database' | 'copy' | null> {
  const { config, home, log, registration } = means
  const database = {
    dir: home.dir,
    binDir: config.CONVOY_POSTGRES_BIN,
    runAs: config.CONVOY_POSTGRES_USER
  }
  if (cluster.term === 0) {
    await initDatabase(database)
    return 'new database'
  }
  const donor = await donorOf(means, cluster, failures)
  if (donor === null) {
    await sleep(POLL_MS)
    return null
  }
  const { last, pid, role } = donor.node
  const copying = { donor: donor.id, since: new Date().toISOString(), percent: 0 }
  // Said before the copy begins: nothing behind this index is pruned until it has joined.
  await registration.show(workerId, { role: 'joining', needsFrom: last.index, last, copying })
  log.info({ donor: pid, role }, 'copying a database')
  const { clone } = donor
  try {
    await clonePostgres({
      ...{ ...database, ...clone, workerId },
      password: config.CONVOY_CLONE_PASSWORD,
      // A certificate of one's own says that the others have theirs.
      ca: config.CONVOY_TLS_CERT && config.CONVOY_TLS_CA,
      onProgress: percent => tell(means, workerId, { copying: { ...copying, percent } })
    })
    tell(means, workerId, { copying: null, trouble: null })
    return 'copy'
  } catch (err) {
    failures.set(donor.id, (failures.get(donor.id) ?? 0) + 1)
    log.warn({ err, donor: pid }, 'the copy failed and is made again')
    const trouble = `the copy of ${donor.id} failed: ${(err as Error).message}`
    tell(means, workerId, { copying: null, trouble: trouble.slice(0, TROUBLE_CHARS_MAX) })
    await sleep(CLONE_RETRY_MS)
    return null
  }
}

/** For operators to see; the copy does not wait for it. */
function tell({ registration, log }: Means, workerId: string, what: Partial<WorkerNode>): void {
  registration
    .show(workerId, what)
    .catch((err: unknown) => log.debug({ err }, 'the copy could not be shown'))
}

async function donorOf(means: Means, cluster: ClusterState, failures: Failures) {
  const { zookeeper, home } = means
  const inSync = new Map<string, WorkerNode>()
  for (const id of cluster.inSync) {
    const node = await zookeeper.read(`${WORKERS}/${id}`).catch(() => undefined)
    if (node !== undefined) inSync.set(id, JSON.parse(node.data) as WorkerNode)
  }
  const fromMaster = home.copyFromMaster
  return chooseDonor(inSync, { failures, fromMaster, random: Math.random })
}
