/**
 * What the cluster is doing, and the knobs to come.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { needsBearer, refusals } from '../../platform/http/openapi.ts'
import type { Cluster, ClusterView } from '../cluster-view.ts'
import { NotImplementedYetError } from '../errors.ts'
import type { Stuck } from '../stuck.ts'
import { ClusterAnswer, Policy, Replicas } from './shapes.ts'

export interface ClusterRouteOptions {
  readonly view: Pick<ClusterView, 'now'>
  readonly minCopies: number
  /** Replicas to run. */
  readonly replicas: () => number
  readonly stuck: () => Stuck | null
}

export const clusterRoute: FastifyPluginAsyncTypebox<ClusterRouteOptions> = async (
  app,
  options
) => {
  const schema = {
    tags: ['cluster'],
    summary: 'The cluster now',
    response: { 200: ClusterAnswer, ...refusals(500) }
  }
  // All that there is, were it more than the schema says.
  const serializerCompiler = () => (body: unknown) => JSON.stringify(body)
  app.get('/api/v1/cluster', { schema, serializerCompiler }, () =>
    describe(options.view.now, {
      minCopies: options.minCopies,
      wanted: options.replicas(),
      stuck: options.stuck()
    })
  )
}

export const clusterKnobRoutes: FastifyPluginAsyncTypebox = async app => {
  for (const [knob, body] of Object.entries({ replicas: Replicas, policy: Policy })) {
    const schema = {
      tags: ['cluster'],
      security: needsBearer,
      summary: `Sets the ${knob}; not built yet`,
      body,
      response: refusals(401, 501)
    }
    // What is not built is not built for wrong bodies either.
    app.put(`/api/v1/cluster/${knob}`, { schema, attachValidation: true }, () => {
      throw new NotImplementedYetError(`setting the ${knob} is not built yet`)
    })
  }
}

interface Configured {
  readonly minCopies: number
  readonly wanted: number
  readonly stuck: Stuck | null
}

export function describe(cluster: Cluster, { minCopies, wanted, stuck }: Configured) {
  const { state, workers, supervisor, orchestrators } = cluster
  const named = new Set(state?.inSync)
  const applied = (state?.inSync ?? []).flatMap(id => workers.get(id)?.figures.applied ?? [])
  const end = Math.max(0, ...applied)
  const replicas = [...workers.values()].filter(({ role }) => role === 'replica').length
  return {
    clusterId: state?.clusterId ?? null,
    term: state?.term ?? 0,
    master: state?.master ?? null,
    inSync: [...named].sort(),
    minCopies,
    stuck: stuck && { ...stuck, missing: [...stuck.missing] },
    keepDiverged: state?.keepDiverged ?? false,
    // What every in-sync worker has; about a second old, as the figures in ZooKeeper are.
    commitIndex: applied.length === 0 ? 0 : Math.min(...applied),
    workers: [...workers].map(([id, node]) => ({
      ...{ id, pid: node.pid, host: node.host, role: node.role, term: node.term },
      inSync: named.has(id),
      index: node.figures.applied,
      lag: Math.max(0, end - node.figures.applied),
      readsPerS: node.figures.readsPerS,
      cpuPercent: node.figures.cpuPercent,
      memoryMiB: node.figures.memoryMiB,
      ...{ reachesAmqp: node.reachesAmqp, diverged: node.diverged, trouble: node.trouble },
      since: node.since
    })),
    replicas: { wanted, actual: replicas },
    policy: { kind: 'fixed', next: null },
    supervisor,
    orchestrators: [...orchestrators].map(([id, { http, pid }]) => ({ id, http, pid }))
  }
}
