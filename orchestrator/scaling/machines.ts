/**
 * What the workers tell of their load and of the machines under them. Pure.
 */
import type { MachineFigures, WorkerNode } from '../../wire/znodes.ts'
import type { Cluster } from '../cluster-view.ts'
import type { Seen } from './scale.ts'

type Workers = Pick<Cluster, 'state' | 'workers'>

export function seenOf(cluster: Workers): Omit<Seen, 'atMs' | 'reads'> {
  const replicas = (cluster.state?.inSync ?? [])
    .flatMap(id => cluster.workers.get(id) ?? [])
    .filter(({ role }) => role === 'replica')
  return {
    cpuPercent: replicas.map(({ figures }) => figures.cpuPercent),
    readLoadPercent: replicas.map(({ figures }) => figures.readLoadPercent ?? 0),
    ...coresOf(cluster)
  }
}

/** Nothing is idle on a machine that tells nothing: `load` asks for no more there. */
export function coresOf({ workers }: Pick<Workers, 'workers'>): {
  readonly cores: number
  readonly idleCores: number
} {
  const nodes = [...workers.values()]
  const machines = Map.groupBy(nodes, ({ figures }) => figures.machine?.id)
  let cores = 0
  let idleCores = 0
  for (const [id, on] of machines) {
    const machine = on.find(({ figures }) => figures.machine)?.figures.machine
    if (id === undefined || machine === undefined) continue
    cores += machine.cores
    idleCores = Math.max(idleCores, idleOf(machine, on))
  }
  return { cores, idleCores }
}

/** A limit on this system's CPU counts too, though the machine has more that is idle. */
function idleOf({ cores, idleCores }: MachineFigures, on: readonly WorkerNode[]): number {
  const used = on.reduce((sum, { figures }) => sum + figures.cpuPercent, 0) / 100
  return Math.max(0, Math.min(idleCores, cores - used))
}
