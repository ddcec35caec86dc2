/**
 * What the cluster is doing.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { VIEW } from '../../platform/security/access.ts'
import { mayHoldGivenUp } from '../../wire/znodes.ts'
import { appliedBy, type Cluster, type ClusterView } from '../cluster-view.ts'
import type { Obstacle } from '../obstacles.ts'
import type { Scaling } from '../scaling/scaling.ts'
import type { ScalingSettings } from '../scaling/settings.ts'
import { shownSettings } from './scaling.ts'
import { ClusterAnswer } from './shapes.ts'

export interface ClusterRouteOptions {
  readonly view: Pick<ClusterView, 'now'>
  readonly minCopies: number
  readonly stuck: () => Obstacle | null
  readonly scaling: Pick<Scaling, 'wanted' | 'nextAt' | 'rule'>
  readonly settings: { readonly now: ScalingSettings }
}

export const clusterRoute: FastifyPluginAsyncTypebox<ClusterRouteOptions> = async (
  app,
  options
) => {
  const schema = {
    tags: ['cluster'],
    security: VIEW,
    summary: 'The cluster now',
    response: { 200: ClusterAnswer, ...refusals(401, 403, 500) }
  }
  // All that there is, were it more than the schema says.
  const serializerCompiler = () => (body: unknown) => JSON.stringify(body)
  app.get('/api/v1/cluster', { schema, serializerCompiler }, () => clusterNow(options))
}

/** The answer, for the stream of the dashboard too. */
export const clusterNow = ({ view, minCopies, stuck, scaling, settings }: ClusterRouteOptions) =>
  describe(view.now, {
    minCopies,
    stuck: stuck(),
    wanted: scaling.wanted,
    nextAt: scaling.nextAt,
    rule: scaling.rule,
    settings: settings.now
  })

interface Configured {
  readonly minCopies: number
  readonly stuck: Obstacle | null
  readonly wanted: number
  readonly nextAt: string | null
  readonly rule: string
  readonly settings: ScalingSettings
}

export function describe(cluster: Cluster, { minCopies, stuck, ...scaling }: Configured) {
  const { state, workers, supervisor, orchestrators, config } = cluster
  const isFrozen = (id: string) => Object.hasOwn(config?.controls?.frozen ?? {}, id)
  const named = new Set(state?.inSync)
  const applied = (state?.inSync ?? []).flatMap(id => workers.get(id) ?? []).map(appliedBy)
  const end = Math.max(0, ...applied)
  return {
    clusterId: state?.clusterId ?? null,
    term: state?.term ?? 0,
    master: state?.master ?? null,
    inSync: [...named].sort(),
    minCopies,
    stuck: stuck && { ...stuck, missing: [...stuck.missing] },
    keepDiverged: Boolean(state?.keepDiverged),
    // What every in-sync worker has; about a second old, as the figures in ZooKeeper are.
    commitIndex: applied.length === 0 ? 0 : Math.min(...applied),
    workers: [...workers].map(([id, node]) => ({
      ...{ id, pid: node.pid, host: node.host, role: node.role, term: node.term },
      inSync: named.has(id),
      frozen: isFrozen(id),
      index: appliedBy(node),
      lag: Math.max(0, end - appliedBy(node)),
      readsPerS: node.figures.readsPerS,
      cpuPercent: node.figures.cpuPercent,
      memoryMiB: node.figures.memoryMiB,
      keptMiB:
        node.diverged && state !== null && mayHoldGivenUp(state, node.last.term)
          ? (node.figures.diskMiB ?? 0)
          : null,
      ...{ reachesAmqp: node.reachesAmqp, diverged: node.diverged, trouble: node.trouble },
      copying: node.copying ?? null,
      scrub: node.scrub ? { ...node.scrub, damage: [...node.scrub.damage] } : null,
      since: node.since
    })),
    ...describeScaling(cluster, scaling),
    supervisor,
    orchestrators: [...orchestrators].map(([id, { http, pid }]) => {
      return { id, http, pid, frozen: isFrozen(id) }
    })
  }
}

function describeScaling(
  { workers, scaling }: Cluster,
  { wanted, nextAt, rule, settings }: Omit<Configured, 'minCopies' | 'stuck'>
) {
  const actual = [...workers.values()].filter(({ role }) => role === 'replica').length
  const { replicas, policy } = shownSettings(settings)
  return {
    replicas: { ...replicas, wanted, actual },
    policy: {
      ...policy,
      rule,
      decision: scaling?.decision ?? null,
      reads: scaling?.span.reads ?? 0,
      next: nextAt
    }
  }
}
