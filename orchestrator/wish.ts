/**
 * Changes what is asked of workers.
 */

import type { ZooKeeper } from '../platform/zookeeper.ts'
import { NO_WISHES, parseNode, WISHES, type Wishes } from '../wire/znodes.ts'

/** Leaves the other wishes as they are. @returns false when somebody else was faster */
export async function wish(zookeeper: ZooKeeper, change: Partial<Wishes>): Promise<boolean> {
  const node = await zookeeper.read(WISHES)
  const before = (node && parseNode<Wishes>(node.data)) ?? NO_WISHES
  const data = JSON.stringify({ ...before, ...change })
  if (node === undefined) return zookeeper.create(WISHES, data)
  return (await zookeeper.write(WISHES, data, node.version)) !== undefined
}

/**
 * Names workers whose data is wrong, and what was found there; those that are gone are forgotten.
 * @param isThere whether a worker may still have its data
 */
export async function condemn(
  zookeeper: ZooKeeper,
  wrong: ReadonlyMap<string, string>,
  isThere: (id: string) => boolean
): Promise<void> {
  for (;;) {
    const node = await zookeeper.read(WISHES)
    const before = (node && parseNode<Wishes>(node.data)) ?? NO_WISHES
    const kept = Object.entries(before.wrong ?? {}).filter(([id]) => isThere(id))
    const data = JSON.stringify({ ...before, wrong: Object.fromEntries([...kept, ...wrong]) })
    if (node === undefined) {
      if (await zookeeper.create(WISHES, data)) return
    } else if ((await zookeeper.write(WISHES, data, node.version)) !== undefined) return
  }
}
