/**
 * From which worker a backup is taken. Pure. Every worker that `/state` names has every
 * acknowledged write, so any of them will do; a replica, so that the master is spared.
 */
import type { ClusterState, WorkerNode } from '../../wire/znodes.ts'
import { appliedBy, type Cluster } from '../cluster-view.ts'

export interface Source {
  readonly workerId: string
  readonly host: string
  readonly port: number
}

/**
 * Always the same one of several: a second backup, at whichever orchestrator, then meets
 * the first.
 * @param state as read after the backup was asked for
 * @returns undefined where there is nobody to take it from
 */
export function sourceOf(state: ClusterState, { workers, config }: Cluster): Source | undefined {
  const frozen = config?.controls?.frozen ?? {}
  const usable = [...state.inSync].sort().flatMap(workerId => {
    const node = workers.get(workerId)
    const isFrozen = Object.hasOwn(frozen, workerId)
    if (node === undefined || node.clone === null || node.diverged || isFrozen) return []
    return [{ workerId, role: node.role, ...node.clone }]
  })
  const chosen = usable.find(({ role }) => role === 'replica') ?? usable.find(isMaster)
  return chosen && { workerId: chosen.workerId, host: chosen.host, port: chosen.port }
}

const isMaster = ({ role }: { role: WorkerNode['role'] }) => role === 'master'

/** What every named worker has: committed, though not the last that is. */
export function committedIn(state: ClusterState, { workers }: Cluster): number {
  const applied = state.inSync.map(id => workers.get(id)).map(node => (node ? appliedBy(node) : 0))
  return applied.length === 0 ? 0 : Math.min(...applied)
}
