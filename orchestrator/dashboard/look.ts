/**
 * Gathers what the dashboard draws from the parts of an orchestrator that know it, and
 * keeps the samples behind its charts.
 */
import type { Registry } from 'prom-client'
import { controlsOf } from '../../platform/controls/shapes.ts'
import { appliedBy, type Cluster } from '../cluster-view.ts'
import { answeredOf, type HistogramLine } from './latencies.ts'
import type { QueueDepth } from './queues.ts'
import { type Counts, type Levels, Samples } from './samples.ts'

const TIMES = 'convoy_http_request_seconds'

/** What only the dashboard asks for. */
export interface Sights {
  readonly orchestratorId: string
  /** Reads asked for so far, by orchestrator. */
  reads(): ReadonlyMap<string, number>
  /** Null while RabbitMQ does not tell. */
  queues(): Promise<readonly QueueDepth[] | null>
}

export interface LookOptions {
  readonly sights: Sights
  readonly metrics: Registry
  readonly cluster: () => Cluster
  readonly wanted: () => number
  /** As `GET /api/v1/cluster` tells it. */
  readonly describe: () => object
  readonly dispatch: {
    readonly up: boolean
    readonly depths: Readonly<Record<string, number>>
    readonly unanswered: { readonly writes: number; readonly reads: number }
  }
}

export interface Look extends Disposable {
  readonly samples: Samples
  now(): object
}

export function openLook(options: LookOptions): Look {
  const { sights, dispatch, cluster, wanted } = options
  let queues: readonly QueueDepth[] | null = null
  const levels = async (): Promise<Levels> => {
    queues = await sights.queues()
    const waiting = Object.values(dispatch.depths).reduce((sum, depth) => sum + depth, 0)
    return { ...levelsOf(cluster()), wanted: wanted(), queues, waiting }
  }
  const samples = new Samples({ count: () => counts(options), levels })
  return {
    samples,
    now: () => ({
      orchestratorId: sights.orchestratorId,
      cluster: options.describe(),
      instances: instancesOf(cluster()),
      broker: { up: dispatch.up, queues },
      lanes: { depths: dispatch.depths, unanswered: dispatch.unanswered }
    }),
    [Symbol.dispose]: () => samples[Symbol.dispose]()
  }
}

async function counts({ sights, metrics, cluster }: LookOptions): Promise<Counts> {
  const times = await metrics.getSingleMetric(TIMES)?.get()
  const lines: readonly HistogramLine[] = times?.values ?? []
  const applied = [...cluster().workers.values()].map(appliedBy)
  return {
    atMs: Date.now(),
    reads: sights.reads(),
    index: Math.max(0, ...applied),
    read: answeredOf(lines, '/api/v1/db/read'),
    write: answeredOf(lines, '/api/v1/db/write')
  }
}

function levelsOf({ state, workers }: Cluster): Pick<Levels, 'inSync' | 'lag'> {
  const named = (state?.inSync ?? []).flatMap(id => workers.get(id) ?? [])
  const applied = named.map(appliedBy)
  return {
    inSync: named.filter(({ role }) => role === 'replica').length,
    lag: applied.length === 0 ? 0 : Math.max(...applied) - Math.min(...applied)
  }
}

/** Every process that runs, and whether an operator has frozen it. */
function instancesOf({ instances, config }: Cluster) {
  const frozen = controlsOf(config)?.frozen ?? {}
  return [...instances]
    .map(([id, { service, pid }]) => ({ id, service, pid, frozen: Object.hasOwn(frozen, id) }))
    .sort((a, b) => a.service.localeCompare(b.service) || a.pid - b.pid)
}
