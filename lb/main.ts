/** Starts lb: ZooKeeper first, then the server; closes in reverse. */
import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { openAmqp, UNHURRIED_PING_MS } from '../platform/amqp.ts'
import { loadConfig } from '../platform/config.ts'
import { Gate } from '../platform/controls/gate.ts'
import { listenToControls } from '../platform/controls/listener.ts'
import { originOf } from '../platform/http/origin.ts'
import { openLog } from '../platform/log.ts'
import { certificateOf, trust } from '../platform/security/tls.ts'
import { shutdownOnSignal } from '../platform/shutdown.ts'
import { openTracing } from '../platform/tracing/otlp.ts'
import { openZooKeeper } from '../platform/zookeeper.ts'
import { LB } from './config.ts'
import { openLb } from './server.ts'

const GRACE_MS = 5_000

const config = loadConfig(LB)
const log = openLog({ service: 'lb', level: config.CONVOY_LOG_LEVEL })
trust(config)
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: GRACE_MS })

const zooKeeper = opened.use(
  await openZooKeeper({
    hosts: config.CONVOY_ZOOKEEPER,
    tls: config.CONVOY_ZOOKEEPER_TLS,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: config.CONVOY_SESSION_TIMEOUT_MS,
    log
  })
)
const gate = new Gate()
const app = await openLb({
  ...{ config, zooKeeper, log, gate },
  metrics: new Registry(),
  tracing: openTracing(config, { service: 'lb', log, opened }),
  certificate: certificateOf(config)
})
const controls = opened.use(
  await listenToControls({
    zookeeper: zooKeeper,
    instance: { id: randomUUID().slice(0, 13), service: 'lb', pid: process.pid },
    level: config.CONVOY_LOG_LEVEL,
    log,
    gate
  })
)
opened.use(
  openAmqp({
    url: config.CONVOY_AMQP_URL,
    name: 'lb',
    pingMs: UNHURRIED_PING_MS,
    log,
    setup: async link => controls.attach(link),
    down() {}
  })
)
opened.defer(() => app.close())
await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
const address = originOf(app, config.CONVOY_HTTP_HOST)
controls.showMetrics(address)
log.info({ address }, 'listening')
