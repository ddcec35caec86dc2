/**
 * What the worker's main.ts needs only after it has begun to start PostgreSQL: loading it takes
 * longer than PostgreSQL takes to recover.
 */
export { listenToControls } from '../platform/controls/listener.ts'
export { openLog } from '../platform/log.ts'
export { certificateOf, trust } from '../platform/security/tls.ts'
export { shutdownOnSignal } from '../platform/shutdown.ts'
export { openTracing } from '../platform/tracing/otlp.ts'
export { openZooKeeper } from '../platform/zookeeper.ts'
export { prepareData } from './bootstrap.ts'
export { seenFromOutside } from './container.ts'
export { openMetrics } from './metrics.ts'
export { openStore } from './postgres/store.ts'
export { openRegistration } from './registration.ts'
export { listenToScrapes } from './scrape.ts'
export { startWorker } from './worker.ts'
