/**
 * The scaling settings in force, and changing them. What an operator changed stands in
 * `/config`, watched by every orchestrator; it outlives all processes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../../platform/log.ts'
import { CONFIG, parseNode } from '../../platform/wire/znodes.ts'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../../platform/zookeeper.ts'
import type { ClusterView } from '../cluster-view.ts'
import { SettingsNotStoredError, TimeoutError } from '../errors.ts'
import { type Config, changed, type ScalingChange, type ScalingSettings } from './settings.ts'

const STORED_WITHIN_MS = 3_000
const RETRY_MS = 100
const SEEN_WITHIN_MS = 1_000

export interface StoredSettingsOptions {
  readonly zookeeper: ZooKeeper
  readonly view: ClusterView
  /** What holds while nothing is stored. */
  readonly start: ScalingSettings
  readonly log: Logger
}

export class StoredSettings {
  readonly #options: StoredSettingsOptions
  #read: { readonly config: Config | null; readonly settings: ScalingSettings }

  constructor(options: StoredSettingsOptions) {
    this.#options = options
    this.#read = { config: null, settings: options.start }
  }

  get now(): ScalingSettings {
    const { config } = this.#options.view.now
    if (config !== this.#read.config) this.#read = { config, settings: this.#of(config) }
    return this.#read.settings
  }

  /** @throws SettingsNotStoredError when ZooKeeper does not answer; doing it again is harmless */
  async change(change: ScalingChange): Promise<ScalingSettings> {
    const { view, log } = this.#options
    const config = await this.#store(change)
    log.info({ ...change }, 'scaling settings changed')
    // So that whoever asks here next is told of it; another change may have come since.
    await view
      .until(cluster => isDeepStrictEqual(cluster.config, config), {
        what: 'the changed settings',
        ms: SEEN_WITHIN_MS
      })
      .catch((err: unknown) => {
        if (!(err instanceof TimeoutError)) throw err
      })
    return this.#of(config)
  }

  async #store(change: ScalingChange): Promise<Config> {
    const untilMs = performance.now() + STORED_WITHIN_MS
    for (;;) {
      try {
        const config = await this.#attempt(change)
        if (config !== undefined) return config
      } catch (err) {
        if (!(err instanceof ZooKeeperUnavailableError)) throw err
        if (performance.now() > untilMs) throw new SettingsNotStoredError({ cause: err })
        await sleep(RETRY_MS)
      }
    }
  }

  /** @returns undefined when somebody else changed them meanwhile */
  async #attempt(change: ScalingChange): Promise<Config | undefined> {
    const { zookeeper, start } = this.#options
    const node = await zookeeper.read(CONFIG)
    const before = (node && parseNode<Config>(node.data)) ?? {}
    // What makes no sense must not outlive the operator who sets it right.
    const kept = changed(start, before.scaling ?? {}) === undefined ? {} : before.scaling
    const config = { ...before, scaling: { ...kept, ...change } }
    const data = JSON.stringify(config)
    const stored =
      node === undefined
        ? await zookeeper.create(CONFIG, data)
        : (await zookeeper.write(CONFIG, data, node.version)) !== undefined
    return stored ? config : undefined
  }

  #of(config: Config | null): ScalingSettings {
    const { start, log } = this.#options
    const settings = changed(start, config?.scaling ?? {})
    if (settings !== undefined) return settings
    log.error({ config }, 'the stored scaling settings make no sense; those of the start hold')
    return start
  }
}
