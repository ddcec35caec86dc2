/**
 * What becomes of a worker whose scrub has found damage: its data is replaced when most of the
 * others are sound, one worker at a time. The supervisor decides, so that two damaged workers
 * never go at once on each other's account.
 */
import type { Logger } from '../platform/log.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import type { Cluster, ClusterView } from './cluster-view.ts'
import { condemn } from './wish.ts'

export interface Damaged {
  readonly id: string
  readonly found: string
}

/** Pure. Null when there is nobody, or too few others are sound. */
export function replaceable({ state, workers, wishes }: Cluster): Damaged | null {
  const inSync = state?.inSync ?? []
  const isWrong = (id: string) => wishes.wrong?.[id] !== undefined
  // One that is on its way out counts among the others until it has left.
  if (inSync.some(isWrong)) return null
  const damageOf = (id: string) => workers.get(id)?.scrub?.damage ?? []
  const isSound = (id: string) => workers.get(id)?.diverged === false && damageOf(id).length === 0
  for (const id of inSync) {
    if (damageOf(id).length === 0 || workers.get(id)?.diverged !== false) continue
    const others = inSync.filter(other => other !== id)
    if (2 * others.filter(isSound).length > others.length) {
      return { id, found: damageOf(id).join(', ') }
    }
  }
  return null
}

export class DamageWatch implements Disposable {
  readonly #listening: Disposable
  #busy = false

  constructor(options: {
    readonly orchestratorId: string
    readonly view: ClusterView
    readonly zookeeper: ZooKeeper
    readonly log: Logger
  }) {
    const { orchestratorId, view, zookeeper, log } = options
    this.#listening = view.on(cluster => {
      if (this.#busy || cluster.supervisor !== orchestratorId || !cluster.known) return
      const damaged = replaceable(cluster)
      if (damaged === null) return
      this.#busy = true
      log.error(damaged, 'a worker has damaged data, and is replaced')
      const isThere = (id: string) =>
        view.now.workers.has(id) || view.now.state?.inSync.includes(id) === true
      condemn(zookeeper, new Map([[damaged.id, damaged.found]]), isThere)
        // It is decided anew: the znodes of workers change every second.
        .catch((err: unknown) => log.warn({ err }, 'a damaged worker could not be named'))
        .finally(() => {
          this.#busy = false
        })
    })
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }
}
