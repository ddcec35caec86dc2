/**
 * The orchestrator's HTTP server: all routes, and which of them need the token.
 */
import type { Registry } from 'prom-client'
import type { Gate } from '../platform/controls/gate.ts'
import type { Http } from '../platform/http/instance.ts'
import { takeJson } from '../platform/http/json-body.ts'
import { openHttp } from '../platform/http.ts'
import type { Logger } from '../platform/log.ts'
import { certificateOf } from '../platform/security/tls.ts'
import { tokensOf } from '../platform/security/tokens.ts'
import type { Tracing } from '../platform/tracing/otlp.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import { InvalidRequestError } from '../wire/errors.ts'
import { keepExact } from '../wire/exact-params.ts'
import type { Admission } from './admission/admission.ts'
import { gated } from './admission/gated.ts'
import type { ClusterView } from './cluster-view.ts'
import type { OrchestratorConfig } from './config.ts'
import type { ControlRoom } from './controls/control-room.ts'
import type { Sights } from './dashboard/look.ts'
import type { HandedOver } from './handover.ts'
import type { Dispatch } from './lanes/dispatch.ts'
import { observeCluster, observeObstacles } from './metrics.ts'
import type { Obstacle } from './obstacles.ts'
import { backupRoute } from './routes/backup.ts'
import { clusterNow, clusterRoute } from './routes/cluster.ts'
import { controlsRoutes, controlsView } from './routes/controls.ts'
import { dashboardRoutes } from './routes/dashboard.ts'
import { callsRoute } from './routes/db-calls.ts'
import { readRoute } from './routes/db-read.ts'
import { writeRoutes } from './routes/db-write.ts'
import { eventsRoute } from './routes/events.ts'
import { handoverRoute } from './routes/handover.ts'
import { hostsRoute, hostsView } from './routes/hosts.ts'
import { boundLargeBodies, LargeBodies } from './routes/large-bodies.ts'
import { metricsTargetsRoute } from './routes/metrics-targets.ts'
import { addPage } from './routes/page.ts'
import { scalingRoutes } from './routes/scaling.ts'
import { verifyRoute } from './routes/verify.ts'
import { crashRoutes, workerListRoute } from './routes/workers.ts'
import type { Runtime } from './runtimes/runtime.ts'
import type { Scaling } from './scaling/scaling.ts'
import type { StoredSettings } from './scaling/stored-settings.ts'
import { Timeline } from './timeline.ts'
import type { Verifications } from './verify/verifications.ts'

const BODY_MAX_BYTES = 16 * 1024 * 1024

export interface ServerOptions {
  readonly config: OrchestratorConfig
  readonly log: Logger
  readonly metrics: Registry
  readonly tracing?: Tracing
  readonly gate: Gate
  readonly room: ControlRoom
  readonly admission: Admission
  readonly dispatch: Dispatch
  /** Who answers reads: the dispatch, or what stands before it. */
  readonly reads: Pick<Dispatch, 'read'>
  readonly view: ClusterView
  readonly runtime: Runtime
  readonly zookeeper: Pick<ZooKeeper, 'read'>
  /** What keeps writes from succeeding, if that does not pass by itself. */
  readonly stuck: () => Obstacle | null
  /** Why this orchestrator is not ready for writes; none when it is. */
  readonly obstacles: () => readonly Obstacle[]
  readonly scaling: Pick<Scaling, 'wanted' | 'nextAt' | 'rule'>
  readonly settings: Pick<StoredSettings, 'now' | 'change'>
  /** Told of each read that is asked for. */
  readonly onRead: () => void
  readonly handOver: () => Promise<HandedOver>
  readonly verifications: Verifications
  /** For the dashboard alone. */
  readonly sights: Sights
}

/** A server with all its routes; the caller listens. */
export async function openServer(options: ServerOptions): Promise<Http> {
  const { config, log, metrics, tracing, gate, dispatch, view, runtime, stuck } = options
  const { room, scaling, settings, onRead } = options
  const admission = gated(options.admission, gate)
  const { engines } = runtime
  const minCopies = config.CONVOY_MIN_COPIES
  const app = await openHttp({
    service: 'orchestrator',
    title: 'Convoy orchestrator',
    log,
    metrics,
    tracing,
    gate,
    bodyLimit: BODY_MAX_BYTES,
    tokens: tokensOf(config),
    certificate: certificateOf(config),
    missing: () => options.obstacles().map(({ why, message }) => ({ code: why, message }))
  })
  takeBodies(app)
  boundLargeBodies(
    app,
    new LargeBodies(() => dispatch.largeRoomBytes(config.CONVOY_WRITE_DEADLINE_MS))
  )
  addPage(app)
  const timeline = new Timeline(view, log)
  observeCluster(metrics, { timeline, view })
  observeObstacles(metrics, options.obstacles)
  app.addHook('preClose', async () => timeline[Symbol.dispose]())
  const shown = { view, minCopies, stuck, scaling, settings }
  await app.register(workerListRoute, { view })
  await app.register(metricsTargetsRoute, { view })
  await app.register(controlsView, { room, view })
  await app.register(hostsView, { room, engines })
  await app.register(clusterRoute, shown)
  await app.register(eventsRoute, { timeline })
  const deadlineMs = config.CONVOY_WRITE_DEADLINE_MS
  const writes = { admission, dispatch, deadlineMs }
  const reads = {
    ...{ admission, dispatch: options.reads },
    ...{ deadlineMs: config.CONVOY_READ_DEADLINE_MS, onRead }
  }
  await app.register(writeRoutes, writes)
  await app.register(readRoute, reads)
  await app.register(callsRoute, { reads, writes, metrics, tracing })
  const { verifications } = options
  await app.register(verifyRoute, { verifications })
  await app.register(backupRoute, { config, zookeeper: options.zookeeper, view, log })
  await app.register(crashRoutes, { view, runtime })
  await app.register(handoverRoute, { handOver: options.handOver })
  await app.register(scalingRoutes, { scaling, settings, minCopies })
  await app.register(controlsRoutes, { room })
  await app.register(hostsRoute, { room, engines })
  await app.register(dashboardRoutes, {
    ...{ config, admission, view, timeline, metrics, dispatch, scaling, sights: options.sights },
    cluster: () => clusterNow(shown)
  })
  return app
}

/**
 * A key called __proto__ is data like any other here: nothing merges what callers send.
 * Parameters are kept as they were sent.
 */
function takeBodies(app: Http): void {
  takeJson(app, (_request, text, done) => {
    let body: unknown
    try {
      body = JSON.parse(text)
    } catch (error) {
      return done(new InvalidRequestError(`the body is no JSON: ${(error as Error).message}`))
    }
    keepExact(text, body)
    done(null, body)
  })
}
