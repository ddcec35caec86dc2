/**
 * ZooKeeper of the cluster that a command is about, for what no orchestrator can do: the
 * addresses are those that a start has noted in its folder, the environment wins.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { convoySettings, loadClusterConfig } from '../local/config.ts'
import { openLog } from '../platform/log.ts'
import { trust } from '../platform/security/tls.ts'
import { openZooKeeper, type ZooKeeper } from '../platform/zookeeper.ts'
import { CommandError, EXIT } from './outcome.ts'

const REACHED_WITHIN_MS = 10_000
const SESSION_MS = 6_000

/** @throws CommandError when it is not known, or does not answer */
export async function reachZooKeeper(folder: string): Promise<ZooKeeper> {
  const file = join(folder, 'settings.json')
  if (!existsSync(file) && convoySettings()['CONVOY_ZOOKEEPER'] === undefined) {
    throw new CommandError(`no Convoy was started in ${folder}`, {
      exitCode: EXIT.unreachable,
      next: 'start one with `convoy up`, or give CONVOY_ZOOKEEPER, CONVOY_ZOOKEEPER_AUTH and CONVOY_CLUSTER'
    })
  }
  const config = loadClusterConfig(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {})
  const hosts = config.CONVOY_ZOOKEEPER
  trust(config)
  const opening = openZooKeeper({
    hosts,
    tls: config.CONVOY_ZOOKEEPER_TLS,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: SESSION_MS,
    log: openLog({ service: 'convoy', level: 'silent' })
  })
  const zookeeper = await Promise.race([opening, sleep(REACHED_WITHIN_MS)])
  if (zookeeper) return zookeeper
  throw new CommandError(`ZooKeeper at ${hosts} does not answer`, {
    exitCode: EXIT.unreachable,
    next: 'does the system run? `convoy logs zookeeper` tells what it said last'
  })
}
