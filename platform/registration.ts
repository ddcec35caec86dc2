/**
 * How a process makes its address known: lb sends requests to whatever stands at
 * `/services/<name>/<id>`, users-api and rides-api to whatever stands at
 * `/orchestrators/<id>`. Register when ready to answer, and dispose before the server
 * is closed.
 */
import type { Targets } from './client/targets.ts'
import type { Logger } from './log.ts'
import { pidSpace, startTimeOf } from './process-identity.ts'
import {
  ORCHESTRATORS,
  type OrchestratorNode,
  parseNode,
  SERVICES,
  type ServiceNode
} from './wire/znodes.ts'
import type { Kept, ZooKeeper } from './zookeeper.ts'

/** @param instance its `http` is an origin, such as `http://127.0.0.1:8081` */
export function registerService(
  zooKeeper: ZooKeeper,
  instance: { readonly name: string; readonly id: string; readonly http: string }
): Kept {
  const node: ServiceNode = { http: new URL(instance.http).origin, pid: process.pid }
  return zooKeeper.keep(`${SERVICES}/${instance.name}/${instance.id}`, JSON.stringify(node))
}

export function registerOrchestrator(
  zooKeeper: ZooKeeper,
  instance: { readonly id: string; readonly http: string }
): Kept {
  const { pid } = process
  const startTime = startTimeOf(pid) ?? ''
  const node: OrchestratorNode = { http: instance.http, pid, startTime, pidSpace: pidSpace() }
  return zooKeeper.keep(`${ORCHESTRATORS}/${instance.id}`, JSON.stringify(node))
}

/** Keeps `targets` to the orchestrators that are registered. */
export function findOrchestrators(
  zooKeeper: ZooKeeper,
  { targets, log }: { readonly targets: Targets; readonly log: Logger }
): Disposable {
  return zooKeeper.watchChildren(ORCHESTRATORS, nodes => {
    const found = [...nodes.values()].flatMap(
      node => parseNode<OrchestratorNode>(node.data)?.http ?? []
    )
    targets.become(found.filter(http => URL.canParse(http)))
    log.info({ orchestrators: targets.origins }, 'orchestrators found')
  })
}
