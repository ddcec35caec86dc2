/**
 * This worker's znode: what others decide by. It is there from the copying on, and
 * tells a candidacy only after `published` was awaited.
 */

import type { Kept, ZooKeeper } from '../platform/zookeeper.ts'
import { WORKERS, type WorkerNode } from '../wire/znodes.ts'
import type { Outside } from './container.ts'

export interface Registration extends AsyncDisposable {
  /** Puts changed fields into the znode. Resolves when they, or later ones, are there. */
  show(workerId: string, changes: Partial<WorkerNode>): Promise<void>
}

export function openRegistration(options: {
  zookeeper: ZooKeeper
  host: string
  outside: Outside
}): Registration {
  const { zookeeper, host, outside } = options
  let kept: Kept | null = null
  let node: WorkerNode = {
    ...outside,
    clusterId: null,
    host,
    role: 'starting',
    term: 0,
    last: { index: 0, term: 0 },
    clone: null,
    reachesAmqp: false,
    trouble: null,
    diverged: false,
    yields: false,
    needsFrom: null,
    since: new Date().toISOString(),
    figures: { applied: 0, readsPerS: 0, cpuPercent: 0, memoryMiB: 0 }
  }
  return {
    async show(workerId, changes) {
      node = { ...node, ...changes }
      const data = JSON.stringify(node)
      kept ??= zookeeper.keep(`${WORKERS}/${workerId}`, data)
      await kept.update(data)
    },
    async [Symbol.asyncDispose]() {
      await kept?.[Symbol.asyncDispose]()
    }
  }
}
