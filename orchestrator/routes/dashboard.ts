/**
 * What the dashboard asks for beyond the calls that everybody has.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Registry } from 'prom-client'
import type { ClusterView } from '../cluster-view.ts'
import type { OrchestratorConfig } from '../config.ts'
import { type LookOptions, openLook, type Sights } from '../dashboard/look.ts'
import type { Scaling } from '../scaling/scaling.ts'
import type { Timeline } from '../timeline.ts'
import { requestLogsRoute } from './request-logs.ts'
import { streamRoute } from './stream.ts'

export interface DashboardOptions {
  readonly config: Pick<OrchestratorConfig, 'CONVOY_LOGS_DIR' | 'CONVOY_WORKERS_DIR'>
  readonly view: Pick<ClusterView, 'now' | 'on'>
  readonly timeline: Timeline
  readonly metrics: Registry
  readonly dispatch: LookOptions['dispatch']
  readonly scaling: Pick<Scaling, 'wanted'>
  readonly sights: Sights
  /** As `GET /api/v1/cluster` tells it. */
  readonly cluster: () => object
}

export const dashboardRoutes: FastifyPluginAsyncTypebox<DashboardOptions> = async (
  app,
  { config, view, timeline, metrics, dispatch, scaling, sights, cluster }
) => {
  const look = openLook({
    ...{ sights, metrics, dispatch, describe: cluster },
    cluster: () => view.now,
    wanted: () => scaling.wanted
  })
  app.addHook('preClose', async () => look[Symbol.dispose]())
  await app.register(streamRoute, {
    ...{ view, timeline, samples: look.samples },
    look: () => look.now()
  })
  await app.register(requestLogsRoute, {
    folders: { logsDir: config.CONVOY_LOGS_DIR, workersDir: config.CONVOY_WORKERS_DIR }
  })
}
