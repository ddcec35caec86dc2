/**
 * What is done to a system under load, how often, and what its clients may see of it.
 */

import type { Cluster } from '../../testing/cluster/cluster.ts'
import type { Fault } from '../../testing/cluster/faults.ts'
import { call } from '../../testing/convoy.ts'

/** In milliseconds between two answers; what is left out is only told. */
export interface Target {
  readonly errors: 0
  readonly writeMedianMs?: number
  readonly writeWorstMs?: number
  readonly readWorstMs?: number
}

export interface Scenario {
  readonly name: string
  /** For a reader of the figures. */
  readonly title: string
  readonly times: number
  readonly quickTimes: number
  /** Whether clients send again what was not answered, with the same request id. */
  readonly retrying?: boolean
  /** Whether all connections have to go through proxies, which cost time of their own. */
  readonly network?: boolean
  /** How long it lasts before it is healed. */
  readonly lastsMs: number
  /** @returns what lasts, or the pids of what died, which starts again by itself */
  readonly harm: (cluster: Cluster) => Promise<Fault | readonly number[]>
  readonly target: Target
}

/** CONVOY_SESSION_TIMEOUT_MS, where it is not set. */
const SESSION_MS = 2_000
/** Long enough that nothing is gained by waiting for its end. */
const LONG_MS = 8_000
const CUT = {
  times: 3,
  quickTimes: 1,
  lastsMs: LONG_MS,
  network: true,
  target: { errors: 0, writeWorstMs: SESSION_MS + 500 }
} as const

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'nothing',
    title: 'nothing at all, for comparison',
    times: 3,
    quickTimes: 1,
    lastsMs: 5_000,
    harm: async () => [],
    target: { errors: 0 }
  },
  {
    name: 'master',
    title: 'master: kill -9',
    times: 20,
    quickTimes: 3,
    lastsMs: 0,
    harm: cluster => cluster.kill('master'),
    target: { errors: 0, writeMedianMs: 200, writeWorstMs: 1_000 }
  },
  {
    name: 'replica',
    title: 'replica: kill -9',
    times: 10,
    quickTimes: 2,
    lastsMs: 0,
    harm: cluster => cluster.kill('replica'),
    target: { errors: 0, writeWorstMs: 200, readWorstMs: 200 }
  },
  {
    name: 'handover',
    title: 'master: asked to hand over',
    times: 20,
    quickTimes: 3,
    lastsMs: 0,
    harm: handOver,
    target: { errors: 0, writeWorstMs: 100, readWorstMs: 100 }
  },
  {
    name: 'pause',
    title: 'master: SIGSTOP',
    times: 5,
    quickTimes: 1,
    lastsMs: LONG_MS,
    harm: cluster => cluster.pause('master'),
    target: { errors: 0, writeWorstMs: SESSION_MS + 300 }
  },
  {
    name: 'rabbitmq',
    title: 'RabbitMQ: kill -9, started again',
    times: 5,
    quickTimes: 1,
    lastsMs: 0,
    harm: cluster => cluster.kill('rabbitmq'),
    target: { errors: 0 }
  },
  {
    name: 'zookeeper',
    title: 'ZooKeeper: kill -9, away for 30 s',
    times: 2,
    quickTimes: 1,
    lastsMs: 30_000,
    harm: cluster => cluster.down('zookeeper'),
    target: { errors: 0, writeWorstMs: 1_000, readWorstMs: 1_000 }
  },
  {
    name: 'orchestrator',
    title: 'orchestrator: kill -9, started again; clients send again',
    times: 5,
    quickTimes: 1,
    retrying: true,
    lastsMs: 0,
    harm: cluster => cluster.kill('orchestrator'),
    target: { errors: 0 }
  },
  {
    ...CUT,
    name: 'cut',
    title: 'master cut off from everything',
    harm: cluster => cluster.cut('master', 'everything')
  },
  {
    ...CUT,
    name: 'cut-zookeeper',
    title: 'master cut off from ZooKeeper',
    harm: cluster => cluster.cut('master', 'zookeeper')
  },
  {
    ...CUT,
    name: 'cut-rabbitmq',
    title: 'master cut off from RabbitMQ',
    harm: cluster => cluster.cut('master', 'rabbitmq')
  }
]

async function handOver(cluster: Cluster): Promise<readonly number[]> {
  const { status, body } = await call(`POST ${cluster.url}/api/v1/cluster/handover`)
  if (status !== 200) throw new Error(`no handover: ${JSON.stringify(body)}`)
  return [] // nobody dies
}
