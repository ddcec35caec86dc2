/**
 * What can be known of every worker of a cluster: from its znode while it lives, from its
 * folder on this machine, and from the orchestrator, which remembers whom it saw last.
 */

import { ProcessRuntime } from '../../orchestrator/runtimes/process.ts'
import type { Place } from '../../orchestrator/runtimes/runtime.ts'
import type { Missing } from '../../orchestrator/stuck.ts'
import type { Logger } from '../../platform/log.ts'
import {
  type ClusterState,
  parseNode,
  STATE,
  WORKERS,
  type WorkerNode
} from '../../platform/wire/znodes.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'

const ASK_MS = 2_000

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
}

export interface Sources {
  readonly zookeeper: ZooKeeper
  readonly workersDir: string
  /** Null where none is known to run. */
  readonly orchestratorUrl: string | null
  readonly log: Logger
}

export async function survey(sources: Sources): Promise<Survey> {
  const { zookeeper, workersDir, orchestratorUrl, log } = sources
  const [node, live, missing] = await Promise.all([
    stateOf(zookeeper),
    liveWorkers(zookeeper),
    orchestratorUrl === null ? [] : missingAt(orchestratorUrl)
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
      missing: missing.find(one => one.id === id) ?? null
    }))
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

/** Of help, and no more: it may be down as well. */
async function missingAt(url: string): Promise<readonly Missing[]> {
  try {
    const reply = await fetch(`${url}/api/v1/cluster`, { signal: AbortSignal.timeout(ASK_MS) })
    const { stuck } = (await reply.json()) as { stuck: { missing: Missing[] } | null }
    return stuck?.missing ?? []
  } catch {
    return []
  }
}
