/**
 * How rates change with the number of replicas: for each number a Convoy of its own,
 * with every process's share of the CPU, so that one can tell what more cores would do.
 */
import { openConvoy } from './contestants/convoy.ts'
import { measure } from './measure.ts'
import { type Budget, budgetOf } from './profile/profile.ts'
import { fill, WORKLOADS } from './workloads.ts'

const REPLICAS = [1, 2, 3, 4]
const MEASURED = ['write', 'read']
const CONNECTIONS = 64
const WARM_UP_S = 2
const ROUNDS = 3

export interface CurvePoint {
  readonly workload: string
  readonly replicas: number
  readonly perS: number
  readonly p50Ms: number
  /** Microseconds of CPU per request, by process. */
  readonly cpuUs: Readonly<Record<string, number>>
}

export interface CurveOptions {
  readonly seconds: number
  readonly say: (line: string) => void
  readonly stopped: AbortSignal
}

export async function measureCurve(options: CurveOptions): Promise<CurvePoint[]> {
  const points: CurvePoint[] = []
  for (const replicas of REPLICAS) {
    options.stopped.throwIfAborted()
    options.say(`Convoy with ${replicas} replicas`)
    points.push(...(await measureOne(replicas, options)))
  }
  return points
}

async function measureOne(replicas: number, options: CurveOptions): Promise<CurvePoint[]> {
  const { seconds, say, stopped } = options
  await using contestant = await openConvoy({ replicas, say: () => {} })
  await fill(contestant)
  const points: CurvePoint[] = []
  for (const workload of WORKLOADS.filter(({ name }) => MEASURED.includes(name))) {
    const run = { contestant, workload, connections: CONNECTIONS, seconds, seed: 0 }
    await measure({ ...run, seconds: WARM_UP_S }, stopped)
    const processes = await contestant.processes()
    const rounds: Budget[] = []
    for (let seed = 1; seed <= ROUNDS; seed++) {
      rounds.push(await budgetOf({ ...run, seed }, { processes, stopped }))
    }
    const { measured, cpuUs } = middleOf(rounds)
    const { perS, p50Ms } = measured
    say(`${workload.name}, ${replicas} replicas: ${Math.round(perS)}/s, p50 ${p50Ms.toFixed(2)} ms`)
    points.push({
      ...{ workload: workload.name, replicas, perS, p50Ms },
      cpuUs: Object.fromEntries([...cpuUs].map(([name, us]) => [name, Math.round(us)]))
    })
  }
  return points
}

/** By rate: of the same run as its shares of the CPU. */
function middleOf(rounds: readonly Budget[]): Budget {
  const sorted = rounds.toSorted((a, b) => a.measured.perS - b.measured.perS)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('nothing was measured')
  return middle
}
