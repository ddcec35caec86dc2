/**
 * The order of a run. Contestants alternate within each cell, and who begins changes
 * from round to round, so that what changes slowly on the machine meets all alike.
 */
import type { Contestant } from './contestants/contestant.ts'
import type { Measurement, Run } from './measure.ts'
import type { Workload } from './workloads.ts'

export interface Plan {
  readonly contestants: readonly Contestant[]
  readonly workloads: readonly Workload[]
  readonly connections: readonly number[]
  readonly rounds: number
  readonly seconds: number
}

/** One workload at one number of connections: a measurement per round for each contestant. */
export interface Cell {
  readonly workload: string
  readonly connections: number
  readonly contestant: string
  readonly rounds: readonly Measurement[]
}

export function* runsOf(plan: Plan): Generator<Run> {
  const { contestants, workloads, connections, rounds, seconds } = plan
  let seed = 1
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed()
    for (const workload of workloads) {
      for (const count of connections) {
        for (const contestant of order) {
          yield { contestant, workload, connections: count, seconds, seed }
        }
        seed += 1
      }
    }
  }
}

/** Before the first round, for compilers and caches: each workload at its most connections. */
export function* warmUpOf(plan: Plan, seconds: number): Generator<Run> {
  for (const workload of plan.workloads) {
    for (const contestant of plan.contestants) {
      yield { contestant, workload, connections: Math.max(...plan.connections), seconds, seed: 0 }
    }
  }
}

export function cellsOf(measured: readonly (readonly [Run, Measurement])[]): Cell[] {
  const keyOf = ({ contestant, workload, connections }: Run) =>
    [workload.name, connections, contestant.name].join()
  const groups = Map.groupBy(measured, ([run]) => keyOf(run))
  return [...groups.values()].flatMap(group => {
    const run = group[0]?.[0]
    if (run === undefined) return []
    const { workload, connections, contestant } = run
    const rounds = group.map(([, measurement]) => measurement)
    return { workload: workload.name, connections, contestant: contestant.name, rounds }
  })
}
