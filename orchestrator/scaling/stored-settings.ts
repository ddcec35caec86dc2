/**
 * The scaling settings in force, and changing them. What an operator changed stands in
 * `/config`, watched by every orchestrator; it outlives all processes.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../../platform/log.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import type { ClusterView } from '../cluster-view.ts'
import { TimeoutError } from '../errors.ts'
import { changeConfig } from '../stored-config.ts'
import { type Config, changed, type ScalingChange, type ScalingSettings } from './settings.ts'

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
    const { zookeeper, start } = this.#options
    const { config } = await changeConfig(zookeeper, before => {
      // What makes no sense must not outlive the operator who sets it right.
      const kept = changed(start, before.scaling ?? {}) === undefined ? {} : before.scaling
      return { ...before, scaling: { ...kept, ...change } }
    })
    return config
  }

  #of(config: Config | null): ScalingSettings {
    const { start, log } = this.#options
    const settings = changed(start, config?.scaling ?? {})
    if (settings !== undefined) return settings
    log.error({ config }, 'the stored scaling settings make no sense; those of the start hold')
    return start
  }
}
