/**
 * Makes /state as an orchestrator would that is told to, with workers elsewhere in mind.
 */
import { foundCluster } from '../orchestrator/found.ts'
import { ProcessRuntime } from '../orchestrator/runtimes/process.ts'
import { openLog } from '../platform/log.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import { parseNode, WORKERS, type WorkerNode } from '../wire/znodes.ts'
import { stateOf } from './recover/survey.ts'
import { reachZooKeeper } from './zookeeper.ts'

/** @returns the id of the cluster that is there afterwards, null where there are only workers with data */
export async function initCluster(
  folder: string,
  workersDir: string
): Promise<{ readonly made: boolean; readonly clusterId: string | null }> {
  const log = openLog({ service: 'init', level: 'silent' })
  const zookeeper = await reachZooKeeper(folder)
  await using runtime = new ProcessRuntime({ dir: workersDir, environment: {}, log })
  const made = !(await anyHasData(zookeeper)) && (await foundCluster({ zookeeper, runtime, log }))
  return { made, clusterId: (await stateOf(zookeeper))?.state.clusterId ?? null }
}

async function anyHasData(zookeeper: ZooKeeper): Promise<boolean> {
  for (const id of await zookeeper.children(WORKERS)) {
    const found = await zookeeper.read(`${WORKERS}/${id}`)
    const node = found && parseNode<WorkerNode>(found.data)
    if (node && node.clusterId !== null) return true
  }
  return false
}
