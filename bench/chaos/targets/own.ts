/**
 * A system of chaos's own, in a temporary folder: with proxies in front of its servers
 * and small disks below its workers, where faults ask for them, everything can be done.
 */
import { tmpdir } from 'node:os'
import { Cluster } from '../../../testing/cluster/cluster.ts'
import { keepLogs } from '../../../testing/evidence.ts'
import { Disk } from '../../../testing/faults/disk.ts'
import type { FaultName } from '../plan.ts'
import { strikeProcesses } from './processes.ts'
import type { Target } from './target.ts'

/** Half an hour of writes does not fill it by itself. */
const DISK_MIB = 4_096

export interface OwnOptions {
  /** What is to be done to it. */
  readonly faults: readonly FaultName[]
  readonly orchestrators: number
  /** The master included. */
  readonly workers: number
}

/** Why some faults cannot be done here. */
export function missingHere(): Map<FaultName, string> {
  return Disk.permitted(tmpdir())
    ? new Map()
    : new Map([
        ['disk', 'mounting a small disk for each worker is not permitted here: it takes root']
      ])
}

/** Started and whole; gone when it is disposed of. */
export async function ownSystem({ faults, orchestrators, workers }: OwnOptions): Promise<Target> {
  const unavailable = missingHere()
  const network = faults.some(name => name === 'cut' || name === 'slow')
  const cluster = await Cluster.open({ network, orchestrators, workers })
  if (faults.includes('disk') && !unavailable.has('disk')) {
    await cluster.healed(await cluster.smallDisks(DISK_MIB))
  }
  return {
    title: `a system of its own, ${workers} workers and ${orchestrators} orchestrators`,
    doors: { lb: cluster.lbUrl, orchestrators: cluster.orchestrators, token: undefined },
    isOwn: true,
    unavailable,
    cuts: null,
    strike: (planned, dice) => strikeProcesses(cluster, planned, dice),
    async whole(dead, withinMs) {
      await cluster.healed(dead, { withinMs })
    },
    keepLogs: dir => keepLogs(cluster.folder, dir),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]()
  }
}
