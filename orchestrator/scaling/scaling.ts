/**
 * Looks at the load and decides again and again how many replicas there should be, on
 * the one orchestrator that supervises. What was decided stands in `/scaling`: a
 * compare-and-set, so that of two that think they supervise one alone goes on.
 */
import { setInterval } from 'node:timers'
import type { Logger } from '../../platform/log.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../../platform/zookeeper.ts'
import { SCALING } from '../../wire/znodes.ts'
import type { ClusterView } from '../cluster-view.ts'
import { coresOf, seenOf } from './machines.ts'
import { ruleOf } from './policies.ts'
import type { ReadCounts } from './read-counts.ts'
import { dueAtMs, scale, wantedNow } from './scale.ts'
import { parseState, type ScalingState } from './state.ts'
import type { StoredSettings } from './stored-settings.ts'

const LOOK_MS = 500

interface Held {
  /** Null when there is no such node yet. */
  readonly version: number | null
  readonly state: ScalingState | null
}

export interface ScalingOptions {
  readonly orchestratorId: string
  readonly zookeeper: ZooKeeper
  readonly view: ClusterView
  readonly settings: StoredSettings
  readonly reads: ReadCounts
  readonly log: Logger
}

export class Scaling implements AsyncDisposable {
  readonly #options: ScalingOptions
  readonly #timer: NodeJS.Timeout
  readonly #listening: Disposable
  /** What stands there, as far as this process knows, which wrote it. */
  #held: Held | null = null
  #looking: Promise<void> | null = null

  constructor(options: ScalingOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#wake(), LOOK_MS)
    this.#listening = options.view.on((after, before) => {
      if (after.config !== before.config) this.#wake()
    })
  }

  /** Replicas to run, the master not counted. */
  get wanted(): number {
    const { view, settings } = this.#options
    return wantedNow(view.now.scaling, settings.now)
  }

  /** When the next decision falls, as ISO text. */
  get nextAt(): string | null {
    const { view, settings } = this.#options
    const { scaling } = view.now
    const atMs = scaling === null ? null : dueAtMs(scaling, settings.now)
    return atMs === null ? null : new Date(atMs).toISOString()
  }

  /** In one sentence. */
  get rule(): string {
    const { view, settings } = this.#options
    return ruleOf(settings.now, coresOf(view.now).cores)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#listening[Symbol.dispose]()
    await this.#looking
  }

  #wake(): void {
    const { orchestratorId, zookeeper, view, log } = this.#options
    if (!zookeeper.connected || view.now.supervisor !== orchestratorId) this.#held = null
    else if (this.#looking === null && view.now.known) {
      this.#looking = this.#look()
        .catch((err: unknown) => {
          this.#held = null
          // The next look tries again.
          if (!(err instanceof ZooKeeperUnavailableError)) log.error({ err }, 'scaling failed')
        })
        .finally(() => {
          this.#looking = null
        })
    }
  }

  async #look(): Promise<void> {
    const { settings, reads, view } = this.#options
    const { version, state } = this.#held ?? (await this.#read())
    const seen = { atMs: Date.now(), reads: reads.all, ...seenOf(view.now) }
    this.#held = await this.#store(scale(state, seen, settings.now), version)
  }

  async #read(): Promise<Held> {
    const node = await this.#options.zookeeper.read(SCALING)
    if (node === undefined) return { version: null, state: null }
    return { version: node.version, state: parseState(node.data) }
  }

  /** @returns null when another was faster: what stands there is read first, then */
  async #store(state: ScalingState, version: number | null): Promise<Held | null> {
    const { zookeeper } = this.#options
    const data = JSON.stringify(state)
    if (version === null) {
      return (await zookeeper.create(SCALING, data)) ? { version: 0, state } : null
    }
    const written = await zookeeper.write(SCALING, data, version)
    return written === undefined ? null : { version: written, state }
  }
}
