/**
 * Changing `/config`, where all that an operator sets on a running cluster stands: by
 * compare-and-set, so that of two who change different parts neither undoes the other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ZooKeeper, ZooKeeperUnavailableError } from '../platform/zookeeper.ts'
import { CONFIG, parseNode } from '../wire/znodes.ts'
import { SettingsNotStoredError } from './errors.ts'
import type { Config } from './scaling/settings.ts'

const STORED_WITHIN_MS = 3_000
const RETRY_MS = 100

export interface Stored {
  readonly config: Config
  /** Of the znode. */
  readonly version: number
}

/**
 * @param change is asked again when somebody else was faster; what it throws, ends it
 * @throws SettingsNotStoredError when ZooKeeper does not answer; doing it again is harmless
 */
export async function changeConfig(
  zookeeper: ZooKeeper,
  change: (before: Config) => Config
): Promise<Stored> {
  const untilMs = performance.now() + STORED_WITHIN_MS
  for (;;) {
    try {
      const stored = await attempt(zookeeper, change)
      if (stored !== undefined) return stored
    } catch (err) {
      if (!(err instanceof ZooKeeperUnavailableError)) throw err
      if (performance.now() > untilMs) throw new SettingsNotStoredError({ cause: err })
      await sleep(RETRY_MS)
    }
  }
}

/** @returns undefined when somebody else changed it meanwhile */
async function attempt(
  zookeeper: ZooKeeper,
  change: (before: Config) => Config
): Promise<Stored | undefined> {
  const node = await zookeeper.read(CONFIG)
  const config = change((node && parseNode<Config>(node.data)) ?? {})
  const data = JSON.stringify(config)
  if (node === undefined) {
    return (await zookeeper.create(CONFIG, data)) ? { config, version: 0 } : undefined
  }
  const version = await zookeeper.write(CONFIG, data, node.version)
  return version === undefined ? undefined : { config, version }
}
