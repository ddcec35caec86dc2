/**
 * A planned change of the master: it finishes what it has begun, and a replica that has
 * all of it takes over. Any orchestrator may ask for it; the workers do it.
 */
import type { Logger } from '../platform/log.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import { type Cluster, type ClusterView, masterOf } from './cluster-view.ts'
import { NoSuccessorError, NoSuchWorkerError, TimeoutError } from './errors.ts'
import { wish } from './wish.ts'

/** The master gives it up sooner, when a member cannot follow. */
const WITHIN_MS = 5_000

export interface HandedOver {
  readonly term: number
  readonly master: string
  readonly pid: number
}

export interface HandoverMeans {
  readonly zookeeper: ZooKeeper
  readonly view: Pick<ClusterView, 'now' | 'until'>
  readonly log: Logger
}

/**
 * @throws NoSuchWorkerError, NoSuccessorError: nothing was done
 * @throws TimeoutError the master leads on, or another one does that nobody asked for
 */
export async function handOver({ zookeeper, view, log }: HandoverMeans): Promise<HandedOver> {
  const cluster = view.now
  const from = masterOf(cluster)
  if (from === null) throw new NoSuchWorkerError('there is no master to hand over from')
  if (successors(cluster).length === 0) {
    throw new NoSuccessorError('no replica could take over: none is in sync and reaches RabbitMQ')
  }
  const term = cluster.state?.term ?? 0
  log.info({ term, from }, 'the master is to hand over')
  await ask(zookeeper, term)
  try {
    const after = await view.until(
      now => (now.state?.term ?? 0) > term && masterOf(now) !== null && masterOf(now) !== from,
      { what: 'a handover', ms: WITHIN_MS }
    )
    return handed(after)
  } catch (err) {
    await ask(zookeeper, null)
    throw err
  }
}

/** Replicas that have what the master has, or soon will. */
export function successors({ state, workers }: Cluster): string[] {
  return (state?.inSync ?? []).filter(id => {
    const node = workers.get(id)
    return node?.role === 'replica' && node.reachesAmqp && !node.diverged && !node.yields
  })
}

function handed(cluster: Cluster): HandedOver {
  const master = masterOf(cluster) ?? ''
  return { term: cluster.state?.term ?? 0, master, pid: cluster.workers.get(master)?.pid ?? 0 }
}

async function ask(zookeeper: ZooKeeper, handoverOf: number | null): Promise<void> {
  try {
    while (!(await wish(zookeeper, { handoverOf }))); // somebody else was faster: once more
  } catch (err) {
    if (!(err instanceof ZooKeeperUnavailableError)) throw err
    throw new TimeoutError('ZooKeeper does not answer; asking for a handover again is harmless')
  }
}
