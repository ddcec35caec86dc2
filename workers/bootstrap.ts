/**
 * Where a worker's data comes from: its own folder, a copy of another worker, or,
 * in a cluster that nobody has led yet, a new empty database.
 * Invariant: `/state` is never made here. Without it a new worker waits for
 * `convoy init`, and one with data for the operator.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../platform/log.ts'
import { type ClusterState, STATE, WORKERS, type WorkerNode } from '../platform/wire/znodes.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import type { WorkerConfig } from './config.ts'
import { type Home, type Identity, newWorkerId } from './home.ts'
import { clonePostgres } from './postgres/clone.ts'
import { hasDatabase, initDatabase } from './postgres/server.ts'
import type { Registration } from './registration.ts'

const POLL_MS = 200
const CLONE_RETRY_MS = 1_000

export interface Origin {
  readonly identity: Identity
  readonly from: 'own data' | 'new database' | 'copy'
  /** What the copy took; 0 without one. */
  readonly cloneMs: number
}

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
  for (let attempt = 0; ; attempt++) {
    const cluster = await stateOf(means.zookeeper)
    if (cluster === undefined) {
      if (attempt % 25 === 0) log.info('waiting for the cluster to be made (`convoy init`)')
      await sleep(POLL_MS)
      continue
    }
    const identity = { workerId, clusterId: cluster.clusterId }
    const beganMs = performance.now()
    const from = await obtain(means, cluster, workerId)
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
  cluster: ClusterState,
  workerId: string
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
  const donor = await donorOf(means, cluster)
  if (donor === null || donor.clone === null) {
    await sleep(POLL_MS)
    return null
  }
  // Said before the copy begins: nothing behind this index is pruned until it has joined.
  await registration.show(workerId, {
    role: 'joining',
    needsFrom: donor.last.index,
    last: donor.last
  })
  log.info({ donor: donor.pid, role: donor.role }, 'copying a database')
  try {
    const password = config.CONVOY_CLONE_PASSWORD
    // A certificate of one's own says that the others have theirs.
    const ca = config.CONVOY_TLS_CERT && config.CONVOY_TLS_CA
    await clonePostgres({ ...database, ...donor.clone, password, ca })
    return 'copy'
  } catch (err) {
    log.warn({ err }, 'the copy failed and is made again')
    await sleep(CLONE_RETRY_MS)
    return null
  }
}

/** A replica that is in sync, so that the master is spared; else the master. */
async function donorOf(means: Means, cluster: ClusterState): Promise<WorkerNode | null> {
  const { zookeeper, home } = means
  const nodes: WorkerNode[] = []
  for (const id of cluster.inSync) {
    const node = await zookeeper.read(`${WORKERS}/${id}`).catch(() => undefined)
    if (node !== undefined) nodes.push(JSON.parse(node.data) as WorkerNode)
  }
  const usable = nodes.filter(node => node.clone !== null && !node.diverged)
  const master = usable.find(node => node.role === 'master')
  const replica = usable.find(node => node.role === 'replica')
  return (home.copyFromMaster ? null : replica) ?? master ?? null
}
