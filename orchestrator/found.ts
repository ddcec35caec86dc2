/**
 * Makes a cluster's `/state`, once, and only when told to. It is never made because
 * it is missing: where workers have data, its absence means that ZooKeeper has lost
 * its memory, and a new one could bring old data back as the truth.
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from '../platform/log.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import { type ClusterState, STATE } from '../wire/znodes.ts'
import type { Runtime } from './runtimes/runtime.ts'

/** @returns whether it was made: not where there is one already, nor over workers that have data */
export async function foundCluster(means: {
  readonly zookeeper: ZooKeeper
  readonly runtime: Runtime
  readonly log: Logger
}): Promise<boolean> {
  const { zookeeper, runtime, log } = means
  if ((await zookeeper.read(STATE)) !== undefined) return false
  const withData = (await runtime.list()).filter(({ workerId }) => workerId !== null)
  if (withData.length > 0) {
    const places = withData.map(({ name }) => name)
    log.error({ places }, 'ZooKeeper knows no cluster, but there are workers with data')
    return false
  }
  const state: ClusterState = { clusterId: randomUUID(), term: 0, master: null, inSync: [] }
  const made = await zookeeper.create(STATE, JSON.stringify(state))
  if (made) log.info({ clusterId: state.clusterId }, 'cluster made')
  return made
}
