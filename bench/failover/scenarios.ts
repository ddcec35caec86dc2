/**
 * What is done to a system under load, how often, and what its clients may see of it.
 */
import type { Cluster } from '../../test/system/cluster.ts'

/** Milliseconds between two answers; what is left out is only told. */
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
  /** How long what was done lasts before it is undone. */
  readonly lastsMs: number
  /** @returns what ends it, with the pids of processes that died */
  readonly harm: (cluster: Cluster) => Promise<Harm>
  readonly target: Target
}

export interface Harm {
  readonly dead: readonly number[]
  undo(): Promise<void>
}

/** What starts again by itself needs nobody to undo it. */
const killed = (dead: readonly number[]): Harm => ({ dead, undo: async () => {} })

const ONCE = { lastsMs: 0 } as const

export const SCENARIOS: readonly Scenario[] = [
  {
    ...ONCE,
    name: 'nothing',
    title: 'nothing at all, for comparison',
    times: 3,
    quickTimes: 1,
    lastsMs: 5_000,
    harm: async () => killed([]),
    target: { errors: 0 }
  },
  {
    ...ONCE,
    name: 'master',
    title: 'master: kill -9',
    times: 20,
    quickTimes: 3,
    harm: async cluster => killed(await cluster.kill('master')),
    target: { errors: 0, writeMedianMs: 200, writeWorstMs: 1_000 }
  },
  {
    ...ONCE,
    name: 'replica',
    title: 'replica: kill -9',
    times: 10,
    quickTimes: 2,
    harm: async cluster => killed(await cluster.kill('replica')),
    target: { errors: 0, writeWorstMs: 200, readWorstMs: 200 }
  },
  {
    ...ONCE,
    name: 'rabbitmq',
    title: 'RabbitMQ: kill -9, started again',
    times: 5,
    quickTimes: 1,
    harm: async cluster => killed(await cluster.kill('rabbitmq')),
    target: { errors: 0 }
  },
  {
    ...ONCE,
    name: 'orchestrator',
    title: 'orchestrator: kill -9, started again; clients send again',
    times: 5,
    quickTimes: 1,
    retrying: true,
    harm: async cluster => killed(await cluster.kill('orchestrator')),
    target: { errors: 0 }
  }
]
