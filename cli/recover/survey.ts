/**
 * What can be known of every worker of a cluster: from its znode while it lives, from its
 * folder on this machine, and from the orchestrators, which remember whom they saw last.
 */

import { ProcessRuntime } from '../../orchestrator/runtimes/process.ts'
import type { Place } from '../../orchestrator/runtimes/runtime.ts'
import type { Missing } from '../../orchestrator/stuck.ts'
import type { Logger } from '../../platform/log.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import { type ClusterState, parseNode, STATE, WORKERS, type WorkerNode } from '../../wire/znodes.ts'
import type { Orchestrators } from '../orchestrator.ts'
import { remembered } from './memory.ts'

export interface KnownWorker {
  readonly id: string
  /** Null of one that is not registered in ZooKeeper: dead, or cut off from it. */
  readonly live: WorkerNode | null
  /** Its folder on this machine, and the process that runs there. */
  readonly place: Place | null
  readonly missing: Missing | null
}

export interface Survey {
  /** Null where ZooKeeper has no `/state`. */
  readonly node: { readonly state: ClusterState; readonly version: number } | null
  readonly workers: readonly KnownWorker[]
  /** Why orchestrators could not be asked whom they saw last: left out where nobody was to be. */
  readonly unasked?: readonly string[]
}

export interface Sources {
  readonly zookeeper: ZooKeeper
  readonly workersDir: string
  /** Of one address each. */
  readonly orchestrators: readonly Orchestrators[]
  readonly log: Logger
}

export async function survey(sources: Sources): Promise<Survey> {
  const { zookeeper, workersDir, orchestrators, log } = sources
  const [node, live, { missing, unasked }] = await Promise.all([
    stateOf(zookeeper),
    liveWorkers(zookeeper),
    remembered(orchestrators)
  ])
  await using runtime = new ProcessRuntime({ dir: workersDir, environment: {}, log })
  const places = await runtime.list()
  const placed = places.flatMap(({ workerId }) => workerId ?? [])
  const ids = new Set([...(node?.state.inSync ?? []), ...live.keys(), ...placed])
  return {
    node,
    workers: [...ids].map(id => ({
      id,
      live: live.get(id) ?? null,
      place: places.find(({ workerId }) => workerId === id) ?? null,
      missing: missing.get(id) ?? null
    })),
    unasked
  }
}

export async function stateOf(zookeeper: ZooKeeper): Promise<Survey['node']> {
  const found = await zookeeper.read(STATE)
  const state = found && parseNode<ClusterState>(found.data)
  return found && state ? { state, version: found.version } : null
}

async function liveWorkers(zookeeper: ZooKeeper): Promise<Map<string, WorkerNode>> {
  const nodes = new Map<string, WorkerNode>()
  for (const id of await zookeeper.children(WORKERS)) {
    const found = await zookeeper.read(`${WORKERS}/${id}`)
    const node = found && parseNode<WorkerNode>(found.data)
    if (node) nodes.set(id, node)
  }
  return nodes
}
