/**
 * What holds whatever dies: no client sees an error within its timeout, nothing that was
 * acknowledged is lost or done twice, and the cluster is whole again by itself.
 */
import type { Test } from 'tap'
import type { Cluster, ClusterNow } from '../../testing/cluster/cluster.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { Readers } from './readers.ts'
import { CLIENT_TIMEOUT_MS, onceOnAllWorkers, Writers } from './writers.ts'

const CLIENTS = 8
const PER_S = 100
/** The machine may be doing other things: docs and benches have the figures of a quiet one. */
const BUSY = 3

export interface Harm {
  /** @returns the pids that died */
  readonly harm: () => Promise<readonly number[]>
  /** As of writers. Who sends again may see an error, and readers do not send again. */
  readonly retry?: boolean
}

export interface Survived {
  readonly before: ClusterNow
  readonly after: ClusterNow
  /** Between one acknowledged write and the next, at most. */
  readonly gapMs: number
  /** Between one answered read and the next, at most. */
  readonly readGapMs: number
}

/** Does harm under a light load of writes and reads, and asserts what the head of this file says. */
export async function survives(
  t: Test,
  cluster: Cluster,
  { harm, retry = false }: Harm
): Promise<Survived> {
  const before = await cluster.healed()
  const writers = await Writers.start(t, cluster, { clients: CLIENTS, perS: PER_S, retry })
  const readers = Readers.start(t, cluster)
  await writers.more(5 * CLIENTS)
  const dead = await harm()
  await writers.more(5 * CLIENTS)
  const after = await cluster.healed(dead)
  await writers.more(CLIENTS)
  const [written, read] = [await writers.stop(), await readers.stop()]
  t.strictSame([written.errors, retry ? [] : read.errors], [[], []], 'no client sees an error')
  t.ok(written.slowestMs < CLIENT_TIMEOUT_MS, 'nor waits longer than it would')
  const [gapMs, readGapMs] = [Math.round(written.longestGapMs), Math.round(read.longestGapMs)]
  const writes = `${written.acknowledged.length} writes, the slowest in ${Math.round(written.slowestMs)} ms`
  t.comment(`${writes}; none acknowledged for ${gapMs} ms, no read answered for ${readGapMs} ms`)
  await onceOnAllWorkers(t, cluster, written)
  await equalOnAllWorkers(t, cluster)
  return { before, after, gapMs, readGapMs }
}

/** Asserts that a gap is as short as promised, with room for a machine that is not alone. */
export function notOver(t: Test, promisedMs: number, gapMs: number): void {
  t.ok(gapMs <= BUSY * promisedMs, `${gapMs} ms, promised on a quiet machine: ${promisedMs} ms`)
}
