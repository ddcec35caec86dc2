/**
 * Watches who copies this worker's database, and ends copies that are made for nobody.
 * Without that, a copier that is cut off or stopped holds WAL senders until the donor has
 * none left, and no worker can be replaced any more.
 */
import type { Logger } from '../platform/log.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import { nowMs } from './clock.ts'
import type { Loop } from './loop.ts'
import { type Copies, leftoversOf, watchCopies } from './postgres/copies.ts'
import type { Store } from './store.ts'

const LOOK_MS = 2_000

export function endLeftovers(parts: {
  readonly loop: Pick<Loop, 'state'>
  readonly store: Pick<Store, 'senders' | 'endCopy'>
  readonly zookeeper: Pick<ZooKeeper, 'connected'>
  readonly log: Logger
}): Disposable {
  const { loop, store, zookeeper, log } = parts
  let copies: Copies = new Map()
  let busy = false
  const look = async () => {
    const senders = await store.senders()
    const { peers, session } = loop.state
    const registered =
      zookeeper.connected && session && peers !== null ? new Set(peers.keys()) : null
    copies = watchCopies(copies, { senders, registered, nowMs: nowMs() })
    for (const leftover of leftoversOf(copies, nowMs())) {
      log.warn({ ...leftover }, 'a copy of this database is ended')
      await store.endCopy(leftover)
    }
  }
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    look()
      // A database that does not answer is watched by others (health.ts).
      .catch((err: unknown) => log.debug({ err }, 'copies could not be looked at'))
      .finally(() => {
        busy = false
      })
  }, LOOK_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
