/**
 * What the dashboard asks for beyond the calls that everybody has.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Registry } from 'prom-client'
import type { Admission } from '../admission/admission.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { OrchestratorConfig } from '../config.ts'
import { openLook, type Sights } from '../dashboard/look.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { Scaling } from '../scaling/scaling.ts'
import type { Timeline } from '../timeline.ts'
import { explainRoute } from './db-explain.ts'
import { requestLogsRoute } from './request-logs.ts'
import { streamRoute } from './stream.ts'

export interface DashboardOptions {
  readonly config: Pick<
    OrchestratorConfig,
    'CONVOY_LOGS_DIR' | 'CONVOY_WORKERS_DIR' | 'CONVOY_READ_DEADLINE_MS'
  >
  readonly admission: Admission
  readonly view: Pick<ClusterView, 'now' | 'on'>
  readonly timeline: Timeline
  readonly metrics: Registry
  readonly dispatch: Dispatch
  readonly scaling: Pick<Scaling, 'wanted'>
  readonly sights: Sights
  /** As `GET /api/v1/cluster` tells it. */
  readonly cluster: () => object
}

export const dashboardRoutes: FastifyPluginAsyncTypebox<DashboardOptions> = async (
  app,
  { config, admission, view, timeline, metrics, dispatch, scaling, sights, cluster }
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
  await app.register(explainRoute, {
    ...{ admission, dispatch, deadlineMs: config.CONVOY_READ_DEADLINE_MS }
  })
  await app.register(requestLogsRoute, {
    folders: { logsDir: config.CONVOY_LOGS_DIR, workersDir: config.CONVOY_WORKERS_DIR }
  })
}
