/**
 * Judges a run: the history by the laws of `testing/history/`, and what the workers hold.
 */

import { BANK_TOTAL } from '../../testing/clients/models.ts'
import type { Cluster } from '../../testing/cluster/cluster.ts'
import { levelPlaces, sumsIn } from '../../testing/cluster/databases.ts'
import type { History, Outcome, Problem, Promises } from '../../testing/history/history.ts'
import { checkHistory, told } from '../../testing/history/laws.ts'

/** replicaTimeoutMs and a heartbeat: what `replica` reads promise where nothing else is set. */
const PROMISES: Promises = { maxReadAgeMs: 1_100, bankTotal: BANK_TOTAL }

export interface Verdict {
  /** Nothing to complain of: empty. */
  readonly problems: readonly string[]
  readonly changes: Readonly<Record<Outcome, number>>
  readonly reads: Readonly<Record<Outcome, number>>
}

export function judge(history: History, unexpected: readonly string[]): Verdict {
  const problem: Problem | null = checkHistory(history, PROMISES)
  return {
    problems: [...(problem === null ? [] : [told(problem)]), ...unexpected],
    changes: counts(history, 'change'),
    reads: counts(history, 'read')
  }
}

function counts(history: History, kind: 'change' | 'read'): Record<Outcome, number> {
  const counted = { ok: 0, rejected: 0, failed: 0, unknown: 0 }
  for (const operation of history) if (operation.kind === kind) counted[operation.outcome] += 1
  return counted
}

/** Compares what all workers hold, once they are level. @returns a line for each difference */
export async function differences(cluster: Cluster): Promise<string[]> {
  const places = await levelPlaces(cluster)
  const [first, ...others] = await Promise.all(
    places.map(async place => ({ place, sums: await sumsIn(place) }))
  )
  if (first === undefined) return ['there is no worker']
  return others.flatMap(({ place, sums }) =>
    [...new Set([...Object.keys(first.sums), ...Object.keys(sums)])]
      .filter(name => sums[name] !== first.sums[name])
      .map(
        name =>
          `${name} differs: ${sums[name]} at ${place.workerId}, ${first.sums[name]} at ${first.place.workerId}`
      )
  )
}
