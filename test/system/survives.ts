/**
 * What holds whatever dies: no client sees an error within its timeout, nothing that was
 * acknowledged is lost or done twice, and the cluster is whole again by itself.
 */
import type { Test } from 'tap'
import type { Cluster, ClusterNow } from './cluster.ts'
import { equalOnAllWorkers } from './databases.ts'
import { CLIENT_TIMEOUT_MS, onceOnAllWorkers, Writers } from './writers.ts'

const CLIENTS = 8
const PER_S = 100

export interface Harm {
  /** @returns the pids that died */
  readonly harm: () => Promise<readonly number[]>
  /** As of writers. */
  readonly retry?: boolean
}

/** Does harm under a light load of writes. @returns the cluster before it and after it */
export async function survives(
  t: Test,
  cluster: Cluster,
  { harm, retry = false }: Harm
): Promise<{ before: ClusterNow; after: ClusterNow }> {
  const before = await cluster.healed()
  const writers = await Writers.start(t, cluster, { clients: CLIENTS, perS: PER_S, retry })
  await writers.more(5 * CLIENTS)
  const dead = await harm()
  await writers.more(5 * CLIENTS)
  const after = await cluster.healed(dead)
  await writers.more(CLIENTS)
  const report = await writers.stop()
  t.strictSame(report.errors, [], 'no client sees an error')
  t.ok(report.slowestMs < CLIENT_TIMEOUT_MS, 'nor waits longer than it would')
  const gapMs = Math.round(report.longestGapMs)
  t.comment(`${report.acknowledged.length} writes, none acknowledged for ${gapMs} ms`)
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
  return { before, after }
}
