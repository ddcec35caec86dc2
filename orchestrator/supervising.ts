/**
 * Does what the supervisor decides, on the one orchestrator that is elected for it.
 * A worker known to be dead is taken out of ZooKeeper at once, so that a failover
 * does not wait for a session to time out.
 */

import type { Logger } from '../platform/log.ts'
import { STATE, SUPERVISOR, WORKERS, type WorkerNode } from '../platform/wire/znodes.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import { type ClusterView, masterOf } from './cluster-view.ts'
import type { Death, Runtime } from './runtimes/runtime.ts'
import { type Action, decide, died, isOf, type Past, started } from './supervisor.ts'

const TICK_MS = 250
const STOP_GRACE_MS = 8_000

export interface SupervisingOptions {
  readonly orchestratorId: string
  readonly zookeeper: ZooKeeper
  readonly view: ClusterView
  readonly runtime: Runtime
  readonly log: Logger
  readonly wanted: () => number
  readonly brokerUp: () => boolean
  /** Whether the workers are stopped when this ends. */
  readonly stopWorkers: boolean
}

export class Supervising implements AsyncDisposable {
  readonly #options: SupervisingOptions
  readonly #past = new Map<string, Past>()
  readonly #closing: Disposable[] = []
  readonly #timer: NodeJS.Timeout
  #turn: Promise<void> = Promise.resolve()
  #busy = false
  #stopped = false

  constructor(options: SupervisingOptions) {
    this.#options = options
    this.#closing.push(
      options.runtime.onDeath(death => void this.#onDeath(death)),
      options.view.on((after, before) => {
        if (after.state !== before.state || after.supervisor !== before.supervisor) this.#wake()
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
    if (!stopWorkers) return
    log.info('stopping the workers')
    await runtime.stop({ last: masterOf(view.now), graceMs: STOP_GRACE_MS })
  }

  #wake(): void {
    if (this.#busy || this.#stopped) return
    this.#busy = true
    this.#turn = this.#look()
      .catch(err => this.#options.log.error({ err }, 'supervising failed; tried again'))
      .finally(() => {
        this.#busy = false
      })
  }

  async #look(): Promise<void> {
    const { orchestratorId, zookeeper, view, runtime, wanted, brokerUp } = this.#options
    if (!zookeeper.connected) return
    if (view.now.supervisor === null) {
      await zookeeper.create(SUPERVISOR, orchestratorId, { ephemeral: true }).catch(unavailable)
    }
    if (!this.supervises) return
    const places = await runtime.attend()
    const actions = decide({
      nowMs: performance.now(),
      wanted: wanted(),
      places,
      past: this.#past,
      cluster: view.now,
      brokerUp: brokerUp()
    })
    for (const action of actions) {
      if (this.#stopped || !this.supervises) return
      await this.#do(action)
    }
  }

  async #do(action: Action): Promise<void> {
    const { runtime, log } = this.#options
    log.info({ ...action }, 'supervisor acts')
    if (action.kind === 'create') return this.#begun(await runtime.create())
    if (action.kind === 'start') {
      this.#begun(action.name)
      return runtime.start(action.name)
    }
    if (await this.#isNamed(action.name)) return
    this.#past.delete(action.name)
    await runtime.discard(action.name)
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
    log.warn({ ...death }, 'worker died')
    try {
      if (death.workerId !== null) await this.#unregister(death, death.workerId)
    } catch (err) {
      log.warn({ err, ...death }, 'a dead worker stays registered until its session ends')
    }
    this.#wake()
  }

  async #unregister(death: Death, workerId: string): Promise<void> {
    const { zookeeper } = this.#options
    const path = `${WORKERS}/${workerId}`
    const node = await zookeeper.read(path)
    if (node === undefined || !isOf(JSON.parse(node.data) as WorkerNode, death)) return
    await zookeeper.remove(path, node.version)
  }
}

/** The next turn tries again. */
function unavailable(error: unknown): void {
  if (!(error instanceof ZooKeeperUnavailableError)) throw error
}
