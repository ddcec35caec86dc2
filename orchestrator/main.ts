/**
 * The orchestrator process: opens things in order, and closes them in reverse.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { Broadcast } from '../platform/controls/broadcast.ts'
import { Gate } from '../platform/controls/gate.ts'
import { listenToControls } from '../platform/controls/listener.ts'
import { originOf } from '../platform/http/origin.ts'
import { openLog } from '../platform/log.ts'
import { registerOrchestrator } from '../platform/registration.ts'
import { trust } from '../platform/security/tls.ts'
import { shutdownOnSignal } from '../platform/shutdown.ts'
import { openTracing } from '../platform/tracing/otlp.ts'
import { openZooKeeper } from '../platform/zookeeper.ts'
import { openAdmission } from './admission/admission.ts'
import { openParser } from './admission/parser.ts'
import { Cache } from './cache/cache.ts'
import { rowsAreInDoubt } from './cache/doubt.ts'
import { observeCache } from './cache/metrics.ts'
import { ClusterView } from './cluster-view.ts'
import { laneLimits, loadOrchestratorConfig } from './config.ts'
import { ControlRoom } from './controls/control-room.ts'
import { joinEngines, takeControls } from './controls/take.ts'
import { DamageWatch } from './damage.ts'
import { Queues } from './dashboard/queues.ts'
import { foundCluster } from './found.ts'
import { handOver } from './handover.ts'
import { brokerOf, openDispatch } from './lanes/dispatch.ts'
import { Leaderships } from './lanes/leadership.ts'
import { observeBatches, observeLanes, observeReplicas } from './metrics.ts'
import { openRuntime } from './runtimes/open.ts'
import { ReadCounts } from './scaling/read-counts.ts'
import { Scaling } from './scaling/scaling.ts'
import { startingSettings } from './scaling/start.ts'
import { StoredSettings } from './scaling/stored-settings.ts'
import { openServer } from './server.ts'
import { StuckWatch } from './stuck-watch.ts'
import { Supervising } from './supervising.ts'
import { Verifications } from './verify/verifications.ts'

/** Stopping the workers takes up to 8 s of it. */
const STOP_GRACE_MS = 9_500
/** Ids of reads that it tells everybody of: the last ones. */
const HARMFUL_SHOWN = 20
/** For answers under way; what takes longer is cut off, so that the workers are stopped in time. */
const DRAIN_MS = 500

const config = loadOrchestratorConfig()
const start = startingSettings(config)
const log = openLog({ service: 'orchestrator', level: config.CONVOY_LOG_LEVEL })
trust(config)
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: STOP_GRACE_MS })

const orchestratorId = randomUUID().slice(0, 13)
const metrics = new Registry()
const admission = opened.use(openAdmission(await openParser()))
const zookeeper = opened.use(
  await openZooKeeper({
    hosts: config.CONVOY_ZOOKEEPER,
    tls: config.CONVOY_ZOOKEEPER_TLS,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: config.CONVOY_SESSION_TIMEOUT_MS,
    ownsRoot: config.CONVOY_ZOOKEEPER_OWN,
    log
  })
)
const gate = new Gate()
const controls = opened.use(
  await listenToControls({
    zookeeper,
    instance: { id: orchestratorId, service: 'orchestrator', pid: process.pid },
    level: config.CONVOY_LOG_LEVEL,
    log,
    gate
  })
)
const runtime = opened.use(await openRuntime(config, log))
joinEngines(controls, { runtime, log })
if (config.CONVOY_INIT) await foundCluster({ zookeeper, runtime, log })

const view = opened.use(new ClusterView(zookeeper, log))
const broadcast = new Broadcast({ id: orchestratorId, view, log })
let harmful: readonly string[] = []
const dispatch = opened.use(
  openDispatch({
    url: config.CONVOY_AMQP_URL,
    orchestratorId,
    log,
    lanes: laneLimits(config),
    hedgeMs: config.CONVOY_HEDGE_MS,
    onHarmfulRead(requestId) {
      harmful = [...harmful, requestId].slice(-HARMFUL_SHOWN)
      registered.nameHarmful(harmful)
    },
    onBatch: observeBatches(metrics),
    onLink(link) {
      controls.attach(link)
      broadcast.attach(link)
    }
  })
)
observeLanes(metrics, dispatch)
const stuck = opened.use(
  new StuckWatch({
    view,
    look: () => ({
      minCopies: config.CONVOY_MIN_COPIES,
      zookeeper: zookeeper.connected,
      broker: brokerOf(dispatch),
      frozen: gate.frozen,
      writesDisabled: gate.isDisabled('db.write'),
      writes: { waiting: dispatch.unanswered.writes, answered: dispatch.writesAnswered }
    }),
    log
  })
)
const cache = opened.use(
  new Cache({
    orchestratorId,
    dispatch,
    maxBytes: config.CONVOY_CACHE_BYTES,
    maxAgeMs: config.CONVOY_REPLICA_TIMEOUT_MS + config.CONVOY_HEARTBEAT_MS,
    log
  })
)
observeCache(metrics, cache.reads)
view.on((after, before) => {
  if (rowsAreInDoubt(after, before)) cache.forget()
})
const leaderships = new Leaderships()
view.on(cluster => dispatch.follow(leaderships.look(cluster)))
// Those that are not seen are none: while ZooKeeper is silent the last that was seen counts.
view.on(({ orchestrators }) => dispatch.shareWith(Math.max(1, orchestrators.size)))

const reads = opened.use(new ReadCounts(zookeeper, orchestratorId))
const settings = new StoredSettings({ zookeeper, view, start, log })
const scaling = opened.use(new Scaling({ orchestratorId, zookeeper, view, settings, reads, log }))
observeReplicas(metrics, { scaling, view })
opened.use(
  new Supervising({
    orchestratorId,
    zookeeper,
    view,
    runtime,
    log,
    wanted: () => scaling.wanted + 1,
    brokerUp: () => dispatch.up,
    stopWorkers: config.CONVOY_STOP_WORKERS
  })
)
opened.use(new DamageWatch({ orchestratorId, view, zookeeper, log }))
const queues = new Queues(() => dispatch.link)
const verifications = new Verifications({
  ...{ dispatch, view, zookeeper, log },
  wanted: () => scaling.wanted + 1,
  deadlineMs: config.CONVOY_WRITE_DEADLINE_MS
})
const handOverNow = () => handOver({ zookeeper, view, log })
const room = new ControlRoom({ zookeeper, view, broadcast, handOver: handOverNow, log })
const app = await openServer({
  config,
  log,
  metrics,
  tracing: openTracing(config, { service: 'orchestrator', log, opened }),
  gate,
  room,
  admission,
  dispatch,
  reads: cache,
  view,
  runtime,
  zookeeper,
  stuck: () => stuck.now,
  obstacles: () => stuck.obstacles,
  scaling,
  settings,
  onRead: () => reads.count(),
  handOver: handOverNow,
  verifications,
  sights: {
    orchestratorId,
    reads: () => reads.all,
    queues: () => queues.depths()
  }
})
opened.defer(async () => {
  await Promise.race([app.close(), sleep(DRAIN_MS)])
})
await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
const http = originOf(app, config.CONVOY_HTTP_HOST)
const registered = opened.use(registerOrchestrator(zookeeper, { id: orchestratorId, http }))
controls.showMetrics(http)
takeControls(controls, { lanes: laneLimits(config), dispatch, registered })
log.info({ orchestratorId, http }, 'orchestrator listens')
