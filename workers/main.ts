/**
 * The worker process: opens things in order and closes them in reverse. Exits 1
 * when its database is lost (a supervisor starts it again), 0 when it was told to
 * stop or has to begin as a new worker. What it needs before PostgreSQL is on its way is
 * imported here, all else in rest.ts.
 */
import { flushCompileCache } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateFiles, limitsOf, loadWorkerConfig } from './config.ts'
import { openHome, showLife, takeHome } from './home.ts'
import { hasDatabase, startPostgres } from './postgres/server.ts'
import { isSpare, waitForPlace } from './spare.ts'

const STOP_GRACE_MS = 8_000
const UNREGISTER_MS = 200

// A spare has all its code when it gets its folder.
if (isSpare()) await import('./rest.ts')
const { folder, beganMs } = waitForPlace()
/** Milliseconds from the start of this worker to the end of each step of its own. */
const doneMs: Record<string, number> = {}
const done = (step: string) => {
  doneMs[step] = Math.round(performance.now() - beganMs)
}

const config = loadWorkerConfig(folder)
const home = await openHome(config.CONVOY_WORKER_DIR)
const claim = await takeHome(home.dir)
const alive = await showLife(home, () => home.identity()?.workerId ?? null)
done('claimed')
const startDatabase = () =>
  startPostgres({
    dir: home.dir,
    binDir: config.CONVOY_POSTGRES_BIN,
    runAs: config.CONVOY_POSTGRES_USER,
    host: config.CONVOY_WORKER_HOST,
    cloneFrom: config.CONVOY_CLONE_FROM,
    tls: certificateFiles(config),
    backendMemoryMiB: config.CONVOY_BACKEND_MEMORY_MIB
  })
// PostgreSQL recovers while the rest is loaded: writes may wait for this copy.
const isKnown = home.identity() !== null && (await hasDatabase(home.dir))
const ahead = isKnown ? startDatabase() : undefined
ahead?.catch(() => undefined) // told where it is awaited

const rest = await import('./rest.ts')
const { openLog, openTracing, openZooKeeper, shutdownOnSignal, trust } = rest
const { listenToControls, listenToScrapes, certificateOf, openMetrics } = rest
const { prepareData, seenFromOutside, openRegistration, openStore, startWorker } = rest
done('loaded')
const log = openLog({ service: 'worker', level: config.CONVOY_LOG_LEVEL })
trust(config)
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: STOP_GRACE_MS })

opened.use(claim)
opened.use(alive)
const zookeeper = opened.use(
  await openZooKeeper({
    hosts: config.CONVOY_ZOOKEEPER,
    tls: config.CONVOY_ZOOKEEPER_TLS,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: config.CONVOY_SESSION_TIMEOUT_MS,
    log
  })
)
done('connected')
const outside = await seenFromOutside(home.dir, config.CONVOY_LIFE)
const registration = opened.use(
  openRegistration({ zookeeper, host: config.CONVOY_WORKER_HOST, outside })
)
const { identity, from, cloneMs } = await prepareData({
  home,
  zookeeper,
  config,
  registration,
  log
})
done('data')
const { workerId, clusterId } = identity
const postgres = opened.use(await (ahead ?? startDatabase()))
done('postgres')
const metrics = openMetrics()
const store = opened.use(
  await openStore({
    server: postgres,
    workerId,
    secret: config.CONVOY_STORE_SECRET,
    clonePassword: config.CONVOY_CLONE_PASSWORD,
    limits: limitsOf(config),
    ended: metrics.ended,
    log
  })
)
done('store')
await store.remember({ clusterId, term: 0, stateVersion: 0 })
const clone = { host: postgres.host, port: postgres.port }
await registration.show(workerId, { clusterId, clone, copying: null })
const controls = opened.use(
  await listenToControls({
    zookeeper,
    instance: { id: workerId, service: 'worker', pid: outside.pid },
    level: config.CONVOY_LOG_LEVEL,
    log
  })
)
const { pid } = outside
const tracing = openTracing(config, { service: 'worker', log, opened })
const told = { ...{ zookeeper, registration, controls }, metrics, cloneMs, tracing, log }
const loop = startWorker({ config, home, identity, pid, postgres, store, ...told }, opened)
const scrape = opened.use(
  await listenToScrapes({
    registry: metrics.registry,
    host: config.CONVOY_WORKER_HOST,
    port: config.CONVOY_METRICS_PORT,
    certificate: certificateOf(config),
    log
  })
)
if (scrape.address !== undefined) controls.showMetrics(scrape.address)
log.info({ workerId, from, last: store.last, term: store.memory.term, doneMs }, 'worker started')
flushCompileCache() // for the next worker; this one may be killed

const lost = postgres.exited.then(exit => ({ failed: new Error(`PostgreSQL ended: ${exit.code}`) }))
const end = await Promise.race([loop.ended, lost])
// In an orderly stop PostgreSQL ends as well; that is no loss, and the stop exits by itself.
if (!opened.disposed) await leave(end)

async function leave(why: typeof end): Promise<void> {
  if ('failed' in why) {
    log.fatal({ err: why.failed }, 'worker ends: its database is lost')
    // So that nobody waits for its session to end.
    await Promise.race([registration[Symbol.asyncDispose](), sleep(UNREGISTER_MS)])
    process.exit(1)
  }
  log.warn(
    { why: why.startOver },
    'worker begins as a new one: its data is not that of the cluster'
  )
  await opened.disposeAsync()
  if (why.startOver !== 'pruned') await home.markCopyFromMaster()
  await home.forget()
  process.exit(0)
}
