/**
 * Changes what is asked of workers.
 */
import { NO_WISHES, parseNode, WISHES, type Wishes } from '../platform/wire/znodes.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'

/** Leaves the other wishes as they are. @returns false when somebody else was faster */
export async function wish(zookeeper: ZooKeeper, change: Partial<Wishes>): Promise<boolean> {
  const node = await zookeeper.read(WISHES)
  const before = (node && parseNode<Wishes>(node.data)) ?? NO_WISHES
  const data = JSON.stringify({ ...before, ...change })
  if (node === undefined) return zookeeper.create(WISHES, data)
  return (await zookeeper.write(WISHES, data, node.version)) !== undefined
}
