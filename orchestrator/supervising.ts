/**
 * Does what the supervisor decides, on the one orchestrator that is elected for it.
 * What is known to be dead is taken out of ZooKeeper at once: a worker, so that a
 * failover does not wait for a session to time out; an orchestrator, for the same reason.
 * Invariants:
 * - Before each action ZooKeeper is asked anew whether this one is still elected: a view
 *   may be old, in a process that was frozen and wakes. What slips through even so is
 *   harmless (docs/decisions/a-late-supervisor-does-no-harm.md).
 * - The workers are stopped with the last orchestrator only.
 */

import type { Logger } from '../platform/log.ts'
import { isKnownDead } from '../platform/process-identity.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import { type BackoffPolicy, backoffMs } from '../wire/backoff.ts'
import {
  ORCHESTRATORS,
  parseNode,
  STATE,
  SUPERVISOR,
  WORKERS,
  type WorkerNode
} from '../wire/znodes.ts'
import { type ClusterView, masterOf } from './cluster-view.ts'
import type { Death, Place, Runtime } from './runtimes/runtime.ts'
import {
  type Action,
  decide,
  died,
  isOf,
  joinerOf,
  type Past,
  type Silent,
  silentOf,
  started,
  wantsSpare
} from './supervisor.ts'
import { wish } from './wish.ts'

const TICK_MS = 250
const STOP_GRACE_MS = 8_000
/** After a turn that failed: of an engine that is away, say. */
const AGAIN: BackoffPolicy = { firstMs: 250, maxMs: 5_000 }

export interface SupervisingOptions {
  readonly orchestratorId: string
  readonly zookeeper: ZooKeeper
  readonly view: ClusterView
  readonly runtime: Runtime
  readonly log: Logger
  readonly wanted: () => number
  readonly brokerUp: () => boolean
  /** Whether the workers are stopped when the last orchestrator ends. */
  readonly stopWorkers: boolean
}

export class Supervising implements AsyncDisposable {
  readonly #options: SupervisingOptions
  readonly #past = new Map<string, Past>()
  #silent: Silent = new Map()
  readonly #closing: Disposable[] = []
  readonly #timer: NodeJS.Timeout
  #turn: Promise<void> = Promise.resolve()
  #busy = false
  #stopped = false
  #failures = 0
  #againAtMs = 0

  constructor(options: SupervisingOptions) {
    this.#options = options
    this.#closing.push(
      options.runtime.onDeath(death => void this.#onDeath(death)),
      options.view.on((after, before) => {
        const changed = (['state', 'supervisor', 'config', 'wishes'] as const).some(
          part => after[part] !== before[part]
        )
        if (changed || after.scaling?.wanted !== before.scaling?.wanted) this.#wake()
      })
    )
    this.#timer = setInterval(() => this.#wake(), TICK_MS)
    this.#wake()
  }

  /** Whether this orchestrator is the elected one, as far as ZooKeeper shows. */
  get supervises(): boolean {
    const { orchestratorId, view, zookeeper } = this.#options
    return zookeeper.connected && view.now.supervisor === orchestratorId
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { runtime, stopWorkers, view, log } = this.#options
    this.#stopped = true
    clearInterval(this.#timer)
    for (const one of this.#closing) one[Symbol.dispose]()
    await this.#turn
    if (!stopWorkers || !(await this.#isLast())) return
    log.info('stopping the workers')
    await runtime.attend()
    await runtime.stop({ last: masterOf(view.now), graceMs: STOP_GRACE_MS })
  }

  #wake(): void {
    if (this.#busy || this.#stopped || performance.now() < this.#againAtMs) return
    this.#busy = true
    this.#turn = this.#look()
      .catch(unavailable)
      .then(
        () => {
          this.#failures = 0
        },
        err => {
          this.#againAtMs = performance.now() + backoffMs(AGAIN, this.#failures++)
          this.#options.log.error({ err }, 'supervising failed; tried again')
        }
      )
      .finally(() => {
        this.#busy = false
      })
  }

  async #look(): Promise<void> {
    const { zookeeper, view, runtime, wanted, brokerUp } = this.#options
    if (!zookeeper.connected) return
    await this.#elect()
    if (!this.supervises) return runtime.keepSpare?.(false)
    const { orchestrators, workers } = view.now
    for (const [id, node] of orchestrators) {
      if (isKnownDead(node)) await this.#bury(id, [`${ORCHESTRATORS}/${id}`])
    }
    const places = await runtime.attend()
    await this.#unregisterAbsent(places, workers)
    const nowMs = performance.now()
    this.#silent = silentOf(this.#silent, { places, workers: view.now.workers, nowMs })
    const situation = {
      nowMs,
      wanted: wanted(),
      places,
      past: this.#past,
      silent: this.#silent,
      cluster: view.now,
      brokerUp: brokerUp()
    }
    for (const action of decide(situation)) {
      if (this.#stopped || !(await this.#isElected())) return
      await this.#do(action)
    }
    const spare = wantsSpare(situation)
    if (spare !== null && !this.#stopped) runtime.keepSpare?.(spare)
  }

  /** Stands when nobody supervises, or one who is known to be dead. */
  async #elect(): Promise<void> {
    const { orchestratorId, zookeeper, view, log } = this.#options
    const { supervisor, orchestrators } = view.now
    if (supervisor === orchestratorId) return
    const node = supervisor === null ? undefined : orchestrators.get(supervisor)
    if (supervisor !== null) {
      if (node === undefined || !isKnownDead(node)) return
      // Both or none: whoever else does the same must not throw out the next supervisor.
      await this.#bury(supervisor, [`${ORCHESTRATORS}/${supervisor}`, SUPERVISOR])
    }
    if (await zookeeper.create(SUPERVISOR, orchestratorId, { ephemeral: true })) {
      log.info({ before: supervisor }, 'supervises')
    }
  }

  async #bury(orchestratorId: string, paths: readonly string[]): Promise<void> {
    const { zookeeper, log } = this.#options
    const done = await zookeeper.removeAll(paths)
    if (done) log.warn({ dead: orchestratorId }, 'an orchestrator died')
  }

  /** As ZooKeeper says now. */
  async #isElected(): Promise<boolean> {
    const { orchestratorId, zookeeper } = this.#options
    return (await zookeeper.read(SUPERVISOR))?.data === orchestratorId
  }

  /** Asked after this one's own registration has gone. */
  async #isLast(): Promise<boolean> {
    const { orchestratorId, zookeeper, view } = this.#options
    try {
      return (await zookeeper.children(ORCHESTRATORS)).length === 0
    } catch (err) {
      unavailable(err)
      return view.now.supervisor === orchestratorId
    }
  }

  async #do(action: Action): Promise<void> {
    const { runtime, zookeeper, log } = this.#options
    log.info({ ...action }, 'supervisor acts')
    if (action.kind === 'wish') return void (await wish(zookeeper, { leaving: action.leaving }))
    if (action.kind === 'create') return this.#begun(await runtime.create())
    if (action.kind === 'start') {
      this.#begun(action.name)
      return runtime.start(action.name)
    }
    this.#past.delete(action.name)
    await runtime.discard(
      action.name,
      async () => (await this.#isElected()) && !(await this.#isNamed(action.name))
    )
  }

  #begun(name: string): void {
    this.#past.set(name, started(this.#past.get(name), performance.now()))
  }

  /** Read anew, for what a view shows may be old, and data thrown away is gone. */
  async #isNamed(name: string): Promise<boolean> {
    const { zookeeper, runtime } = this.#options
    const workerId = (await runtime.list()).find(place => place.name === name)?.workerId ?? null
    if (workerId === null) return false
    const state = await zookeeper.read(STATE)
    return state === undefined || state.data.includes(JSON.stringify(workerId))
  }

  async #onDeath(death: Death): Promise<void> {
    const { log } = this.#options
    this.#past.set(death.name, died(this.#past.get(death.name), performance.now()))
    if (!this.supervises) return
    log.warn({ ...death }, 'worker died')
    try {
      const workerId = death.workerId ?? joinerOf(this.#options.view.now.workers, death)
      if (workerId !== null) await this.#unregister(workerId, node => isOf(node, death))
    } catch (err) {
      log.warn({ err, ...death }, 'a dead worker stays registered until its session ends')
    }
    this.#wake()
  }

  /**
   * Those that died while nobody watched.
   * @param before as it was before `places` were looked at: of what runs nowhere since, the process is dead
   */
  async #unregisterAbsent(
    places: readonly Place[],
    before: ReadonlyMap<string, WorkerNode>
  ): Promise<void> {
    for (const { workerId, pid } of places) {
      const registered = workerId === null || pid !== null ? undefined : before.get(workerId)
      if (workerId === null || registered === undefined) continue
      const { since } = registered
      await this.#unregister(workerId, node => node.since === since)
    }
  }

  async #unregister(workerId: string, isDead: (node: WorkerNode) => boolean): Promise<void> {
    const { zookeeper } = this.#options
    const path = `${WORKERS}/${workerId}`
    const found = await zookeeper.read(path)
    const node = found && parseNode<WorkerNode>(found.data)
    if (found && node && isDead(node)) await zookeeper.remove(path, found.version)
  }
}

/** The next turn tries again. */
function unavailable(error: unknown): void {
  if (!(error instanceof ZooKeeperUnavailableError)) throw error
}
