/**
 * What ZooKeeper shows of the cluster, as one value that listeners get at each
 * change. A view only: whoever changes `/state` reads it again first.
 */
import type { InstanceNode } from '../platform/controls/shapes.ts'
import type { Logger } from '../platform/log.ts'
import type { Node, ZooKeeper } from '../platform/zookeeper.ts'
import {
  type ClusterState,
  CONFIG,
  INSTANCES,
  NO_WISHES,
  ORCHESTRATORS,
  type OrchestratorNode,
  SCALING,
  STATE,
  SUPERVISOR,
  WISHES,
  type Wishes,
  WORKERS,
  type WorkerNode
} from '../wire/znodes.ts'
import { TimeoutError } from './errors.ts'
import type { Config } from './scaling/settings.ts'
import { parseState, type ScalingState } from './scaling/state.ts'

export interface Cluster {
  /** Null when nobody has made the cluster, or nothing was heard yet. */
  readonly state: ClusterState | null
  readonly workers: ReadonlyMap<string, WorkerNode>
  readonly orchestrators: ReadonlyMap<string, OrchestratorNode>
  readonly supervisor: string | null
  readonly wishes: Wishes
  readonly config: Config | null
  /** All processes that run, of every service. */
  readonly instances: ReadonlyMap<string, InstanceNode>
  /** Null when nobody has decided anything about scaling. */
  readonly scaling: ScalingState | null
  /** Whether all that supervising rests on has been read since the start. */
  readonly known: boolean
}

export const NOTHING_KNOWN: Cluster = {
  state: null,
  workers: new Map(),
  orchestrators: new Map(),
  supervisor: null,
  wishes: NO_WISHES,
  config: null,
  instances: new Map(),
  scaling: null,
  known: false
}

/** The id of the worker that leads, while it says so itself. */
export function masterOf({ state, workers }: Cluster): string | null {
  if (state === null || state.master === null) return null
  const node = workers.get(state.master)
  return node?.role === 'master' && node.term === state.term ? state.master : null
}

/** How far a worker is; one that has just started has told no figures yet. */
export const appliedBy = ({ figures, last }: WorkerNode): number => figures.applied || last.index

const NEEDED = [STATE, WORKERS, WISHES, CONFIG, SCALING]

export type ClusterListener = (after: Cluster, before: Cluster) => void

export class ClusterView implements Disposable {
  #now: Cluster = NOTHING_KNOWN
  readonly #heard = new Set<string>()
  readonly #listeners = new Set<ClusterListener>()
  readonly #watches: Disposable[] = []
  readonly #log: Logger

  constructor(zookeeper: ZooKeeper, log: Logger) {
    this.#log = log
    this.#watches.push(
      // Whoever was elected in a session is so no longer when that is lost.
      zookeeper.on(event => {
        if (event === 'expired') this.#hear(SUPERVISOR, { supervisor: null })
      }),
      zookeeper.watch(STATE, node => this.#hear(STATE, { state: this.#parse(node) ?? null })),
      zookeeper.watch(WISHES, node =>
        this.#hear(WISHES, { wishes: this.#parse(node) ?? NO_WISHES })
      ),
      zookeeper.watch(CONFIG, node => this.#hear(CONFIG, { config: this.#parse(node) ?? null })),
      zookeeper.watch(SCALING, node =>
        this.#hear(SCALING, { scaling: node === undefined ? null : parseState(node.data) })
      ),
      zookeeper.watch(SUPERVISOR, node =>
        this.#hear(SUPERVISOR, { supervisor: node?.data ?? null })
      ),
      zookeeper.watchChildren(WORKERS, nodes =>
        this.#hear(WORKERS, { workers: this.#parseAll<WorkerNode>(nodes) })
      ),
      zookeeper.watchChildren(ORCHESTRATORS, nodes =>
        this.#hear(ORCHESTRATORS, { orchestrators: this.#parseAll<OrchestratorNode>(nodes) })
      ),
      zookeeper.watchChildren(INSTANCES, nodes =>
        this.#hear(INSTANCES, { instances: this.#parseAll<InstanceNode>(nodes) })
      )
    )
  }

  get now(): Cluster {
    return this.#now
  }

  on(listener: ClusterListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** @throws TimeoutError naming what did not come */
  until(is: (cluster: Cluster) => boolean, { what, ms }: { what: string; ms: number }) {
    return new Promise<Cluster>((resolve, reject) => {
      if (is(this.#now)) return resolve(this.#now)
      const listening = this.on(cluster => {
        if (is(cluster)) end(() => resolve(cluster))
      })
      const late = () => end(() => reject(new TimeoutError(`${what}: not within ${ms} ms`)))
      const timer = setTimeout(late, ms)
      const end = (settle: () => void) => {
        listening[Symbol.dispose]()
        clearTimeout(timer)
        settle()
      }
    })
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]()
    this.#listeners.clear()
  }

  #hear(path: string, part: Partial<Cluster>): void {
    const before = this.#now
    this.#heard.add(path)
    const known = NEEDED.every(one => this.#heard.has(one))
    this.#now = { ...before, ...part, known }
    for (const listener of [...this.#listeners]) listener(this.#now, before)
  }

  #parseAll<T>(nodes: ReadonlyMap<string, Node>): Map<string, T> {
    const parsed = new Map<string, T>()
    for (const [name, node] of nodes) {
      const value = this.#parse<T>(node)
      if (value !== undefined) parsed.set(name, value)
    }
    return parsed
  }

  /** Undefined for what is no JSON: an operator's slip must not end an orchestrator. */
  #parse<T>(node: Node | undefined): T | undefined {
    if (node === undefined) return undefined
    try {
      return JSON.parse(node.data) as T
    } catch (err) {
      this.#log.error({ err }, 'a znode holds no JSON')
      return undefined
    }
  }
}
