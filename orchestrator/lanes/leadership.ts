/**
 * What the lanes have to know of masters: the term, whether its master lives, and
 * whether the one before gave up its term by itself or was ended. Pure.
 * Invariant: a master counts as ended unless its very process has said that it leads no more,
 * and names no trouble. What it had in hand may then be what ended it.
 */
import type { WorkerNode } from '../../wire/znodes.ts'
import { type Cluster, masterOf } from '../cluster-view.ts'

export interface Leadership {
  readonly term: number
  /** False once the master of `term` was seen to lead and is gone. */
  readonly led: boolean
  /** The master before that of `term` gave up by itself. */
  readonly orderly: boolean
}

export class Leaderships {
  /** The process that was last seen to lead. */
  #last: { readonly workerId: string; readonly node: WorkerNode } | null = null
  #term = 0
  #orderly = true
  /** Whether the master of the term was seen to lead. */
  #seen = false

  /** Told of each view of the cluster, in their order. */
  look(cluster: Cluster): Leadership {
    const term = cluster.state?.term ?? 0
    if (term > this.#term) {
      // If an orchestrator never saw a master, it does not know how that master's term ended. It
      // may have sent writes to it before it could read any term.
      this.#orderly = term === this.#term + 1 && this.#livesOn(cluster)
      this.#term = term
      this.#seen = false
    }
    const master = masterOf(cluster)
    const node = master === null ? undefined : cluster.workers.get(master)
    if (master !== null && node !== undefined) {
      this.#last = { workerId: master, node }
      this.#seen = true
    }
    return { term: this.#term, led: master !== null || !this.#seen, orderly: this.#orderly }
  }

  #livesOn({ workers }: Cluster): boolean {
    if (this.#last === null) return false
    const { workerId, node } = this.#last
    const now = workers.get(workerId)
    // One that died may be shown as it was: the next term can be seen before its znode is gone.
    if (now?.role === 'master' && now.term === node.term) return false
    // Two processes in containers of their own may have one pid.
    return now?.pid === node.pid && now.since === node.since && now.trouble === null
  }
}
