/**
 * When answers are not to be relied upon though no entry says so. Pure.
 */
import type { Cluster } from '../cluster-view.ts'

/** Whether a worker has turned out to be wrong, or another cluster stands in the place of this one. */
export function rowsAreInDoubt(after: Cluster, before: Cluster): boolean {
  if (after.state?.clusterId !== before.state?.clusterId) return true
  return [...after.workers].some(
    ([id, { diverged }]) => diverged && before.workers.get(id)?.diverged !== true
  )
}
