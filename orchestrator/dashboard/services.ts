/**
 * Which instances of lb, users-api and rides-api are registered, and where.
 */
import { parseNode, SERVICES, type ServiceNode } from '../../platform/wire/znodes.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'

export const SERVICE_NAMES = ['lb', 'users-api', 'rides-api'] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]

export interface ServiceInstance extends ServiceNode {
  readonly id: string
}

export type Services = Readonly<Record<ServiceName, readonly ServiceInstance[]>>

export class ServiceWatch implements Disposable {
  #now: Services = { lb: [], 'users-api': [], 'rides-api': [] }
  readonly #watches: readonly Disposable[]

  constructor(zookeeper: Pick<ZooKeeper, 'watchChildren'>) {
    this.#watches = SERVICE_NAMES.map(name =>
      zookeeper.watchChildren(`${SERVICES}/${name}`, nodes => {
        const instances = [...nodes].flatMap(([id, { data }]) => {
          const node = parseNode<ServiceNode>(data)
          return node === null ? [] : [{ ...node, id }]
        })
        this.#now = { ...this.#now, [name]: instances.sort((a, b) => a.pid - b.pid) }
      })
    )
  }

  get now(): Services {
    return this.#now
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]()
  }
}
