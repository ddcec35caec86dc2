/**
 * Every metric that the code registers, by the processes that tell it: what the page, the
 * dashboard and the alert rules are checked against. Nothing is connected to anything.
 */
import { Registry } from 'prom-client'
import { openLb } from '../lb/server.ts'
import { observeCache } from '../orchestrator/cache/metrics.ts'
import { NOTHING_KNOWN } from '../orchestrator/cluster-view.ts'
import {
  observeBatches,
  observeCluster,
  observeLanes,
  observeObstacles,
  observeReplicas
} from '../orchestrator/metrics.ts'
import { openHttp } from '../platform/http.ts'
import { openLog } from '../platform/log.ts'
import { openServiceHttp } from '../platform/service/http.ts'
import { Readiness } from '../platform/service/readiness.ts'
import { openMetrics } from '../workers/metrics.ts'

export interface Registered {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

const log = openLog({ service: 'test', level: 'silent' })

export async function registered(): Promise<Map<string, readonly Registered[]>> {
  return new Map([
    ['lb', await listed(await lb())],
    ['users-api, rides-api', await listed(await service())],
    ['orchestrator', await listed(await orchestrator())],
    ['worker', await listed(worker())]
  ])
}

async function listed(registry: Registry): Promise<Registered[]> {
  const found = await registry.getMetricsAsJSON()
  return found.map(({ name, type, help }) => {
    const metric = registry.getSingleMetric(name) as { labelNames?: string[] } | undefined
    return { name, type: String(type), labels: metric?.labelNames ?? [], help }
  })
}

async function lb(): Promise<Registry> {
  const metrics = new Registry()
  const config = {
    CONVOY_LB_ATTEMPT_MS: 1,
    CONVOY_LB_DEADLINE_MS: 1,
    CONVOY_LB_UNDER_WAY_MAX: 1
  }
  const zooKeeper = { watchChildren: () => ({ [Symbol.dispose]() {} }) }
  const app = await openLb({ config, zooKeeper, log, metrics })
  await app.close()
  return metrics
}

async function service(): Promise<Registry> {
  const metrics = new Registry()
  await openServiceHttp({
    ...{ service: 'test', title: 'test', log, metrics },
    readiness: new Readiness(),
    allowClear: false,
    clear: async () => {},
    routes() {}
  })
  return metrics
}

async function orchestrator(): Promise<Registry> {
  const metrics = new Registry()
  const view = { now: NOTHING_KNOWN }
  await openHttp({
    ...{ service: 'test', title: 'test', log, metrics },
    bodyLimit: 1,
    missing: () => []
  })
  observeBatches(metrics)
  observeLanes(metrics, { depths: {}, unanswered: { writes: 0, reads: 0 } })
  observeReplicas(metrics, { scaling: { wanted: 0 }, view })
  observeCluster(metrics, { view, timeline: { on: () => ({ [Symbol.dispose]() {} }) } })
  observeObstacles(metrics, () => [])
  observeCache(metrics, { counts: {}, size: 0, bytes: 0 })
  return metrics
}

function worker(): Registry {
  const { registry, show } = openMetrics()
  const last = { index: 0, term: 0, checksum: '' }
  const state = { role: { kind: 'waiting' }, term: 0, last, commitIndex: 0 } as const
  const scrub = { totals: { pages: 0, entries: 0 }, now: null }
  show(() => ({ state, reads: 0, memoryMiB: 0, scrub }), 0)
  return registry
}
