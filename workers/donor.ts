/**
 * From which worker a new one copies its database. Pure. A replica, so that the master is
 * spared; of several, a random one, so that they share the load of many copies at once; and
 * rather one from which no copy has failed, so that one bad source stops nobody.
 */
import type { WorkerNode } from '../wire/znodes.ts'

export interface Donor {
  readonly id: string
  readonly node: WorkerNode
  readonly clone: NonNullable<WorkerNode['clone']>
}

export function chooseDonor(
  inSync: ReadonlyMap<string, WorkerNode>,
  choice: {
    /** How often a copy from a worker has failed here. */
    readonly failures: ReadonlyMap<string, number>
    /** The last copy had diverged: only the master's data is sure to be right. */
    readonly fromMaster: boolean
    /** From 0 to below 1. */
    readonly random: () => number
  }
): Donor | null {
  const usable = [...inSync].flatMap(([id, node]): Donor[] => {
    const { clone, diverged, role } = node
    const serves = role === 'master' || (role === 'replica' && !choice.fromMaster)
    return clone === null || diverged || !serves ? [] : [{ id, node, clone }]
  })
  const cost = ({ id, node }: Donor) =>
    (choice.failures.get(id) ?? 0) * 2 + (node.role === 'master' ? 1 : 0)
  const least = Math.min(...usable.map(cost))
  const best = usable.filter(donor => cost(donor) === least)
  return best[Math.floor(choice.random() * best.length)] ?? null
}
