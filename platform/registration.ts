/**
 * How a process makes its address known: lb sends requests to whatever stands at
 * `/services/<name>/<id>`, users-api and rides-api to whatever stands at
 * `/orchestrators/<id>`. Register when ready to answer, and dispose before the server
 * is closed.
 */

import type { Targets } from '../client/targets.ts'
import {
  ORCHESTRATORS,
  type OrchestratorNode,
  parseNode,
  SERVICES,
  type ServiceNode
} from '../wire/znodes.ts'
import type { Logger } from './log.ts'
import { pidSpace, startTimeOf } from './process-identity.ts'
import type { ZooKeeper } from './zookeeper.ts'

export interface Registered extends AsyncDisposable {
  /** Tells everybody which requests were refused here because they are harmful. */
  nameHarmful(requestIds: readonly string[]): void
  /** Tells whoever sends requests that none are taken here, or that they are again. */
  freeze(frozen: boolean): void
}

/** @param instance its `http` is an origin, such as `http://127.0.0.1:8081` */
export function registerService(
  zooKeeper: ZooKeeper,
  instance: { readonly name: string; readonly id: string; readonly http: string }
): Registered {
  const node: ServiceNode = { http: new URL(instance.http).origin, pid: process.pid }
  return register(zooKeeper, `${SERVICES}/${instance.name}/${instance.id}`, node)
}

export function registerOrchestrator(
  zooKeeper: ZooKeeper,
  instance: { readonly id: string; readonly http: string }
): Registered {
  const { pid } = process
  const startTime = startTimeOf(pid) ?? ''
  const node: OrchestratorNode = { http: instance.http, pid, startTime, pidSpace: pidSpace() }
  return register(zooKeeper, `${ORCHESTRATORS}/${instance.id}`, node)
}

function register(
  zooKeeper: ZooKeeper,
  path: string,
  node: ServiceNode | OrchestratorNode
): Registered {
  const kept = zooKeeper.keep(path, JSON.stringify(node))
  let shown: Pick<OrchestratorNode, 'frozen' | 'harmful'> = {}
  const show = (further: typeof shown) => {
    shown = { ...shown, ...further }
    kept.update(JSON.stringify({ ...node, ...shown })).catch(() => {}) // It ends.
  }
  return {
    nameHarmful: harmful => show({ harmful }),
    freeze(frozen) {
      if (frozen !== (shown.frozen ?? false)) show({ frozen })
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]()
  }
}

/** Keeps `targets` to the orchestrators that are registered. */
export function findOrchestrators(
  zooKeeper: ZooKeeper,
  { targets, log }: { readonly targets: Targets; readonly log: Logger }
): Disposable {
  return zooKeeper.watchChildren(ORCHESTRATORS, nodes => {
    const found = [...nodes.values()].flatMap(node => {
      const one = parseNode<Partial<OrchestratorNode>>(node.data)
      return one?.http !== undefined && URL.canParse(one.http) ? [{ ...one, http: one.http }] : []
    })
    const frozen = found.filter(one => one.frozen === true)
    targets.become(
      found.map(({ http }) => http),
      frozen.map(({ http }) => http)
    )
    log.info({ orchestrators: targets.origins }, 'orchestrators found')
  })
}
