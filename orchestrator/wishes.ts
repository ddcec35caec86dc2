/**
 * Asking workers for something: a change of `/wishes`, which they watch.
 */
import { NO_WISHES, parseNode, WISHES, type Wishes } from '../platform/wire/znodes.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'

/** @throws ZooKeeperUnavailableError: it may or may not be changed; changing it again is harmless */
export async function changeWishes(
  zookeeper: Pick<ZooKeeper, 'read' | 'create' | 'write'>,
  change: (wishes: Wishes) => Wishes
): Promise<void> {
  for (;;) {
    const node = await zookeeper.read(WISHES)
    const data = JSON.stringify(change((node && parseNode<Wishes>(node.data)) ?? NO_WISHES))
    const changed =
      node === undefined
        ? await zookeeper.create(WISHES, data)
        : (await zookeeper.write(WISHES, data, node.version)) !== undefined
    if (changed) return // else somebody else was faster
  }
}
