/**
 * A whole instance of users-api or rides-api, from its parts, started in the one order
 * that is right: answer health calls first, wait for the orchestrator (schema), RabbitMQ
 * and ZooKeeper as long as it takes, and let lb know of the instance when it can do its
 * work. What is opened goes onto a stack, so that lb is told first when it ends.
 */
import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { type Context, type Database, openDatabase } from '../../client/database.ts'
import { Targets } from '../../client/targets.ts'
import type { AmqpLink } from '../amqp.ts'
import { Gate } from '../controls/gate.ts'
import { listenToControls } from '../controls/listener.ts'
import type { Http } from '../http/instance.ts'
import { originOf } from '../http/origin.ts'
import { type Logger, openLog } from '../log.ts'
import { findOrchestrators, registerService } from '../registration.ts'
import { certificateOf, trust } from '../security/tls.ts'
import { shutdownOnSignal } from '../shutdown.ts'
import { openTracing } from '../tracing/otlp.ts'
import { openZooKeeper } from '../zookeeper.ts'
import type { ServiceConfig } from './config.ts'
import { openServiceHttp } from './http.ts'
import { Readiness } from './readiness.ts'
import { bringSchema } from './schema.ts'

const GRACE_MS = 5_000

export interface Service {
  readonly name: 'users-api' | 'rides-api'
  readonly title: string
  readonly config: ServiceConfig
  /** Of the migrations. */
  readonly folder: string
  /** What makes it this service; nothing of it may wait for a server. */
  readonly open: (base: ServiceBase) => ServiceParts
}

export interface ServiceBase {
  readonly log: Logger
  readonly db: Database
  /** Of what is to be closed when the service ends. */
  readonly opened: AsyncDisposableStack
}

export interface ServiceParts {
  readonly routes: (app: Http) => void
  /** Empties the service's own tables. */
  readonly clear: (write: Context & { readonly requestId: string }) => Promise<void>
  /** Opens what needs RabbitMQ, once the schema is there. */
  readonly openEvents: (onLink: OnLink) => Events
}

/** Told of the link to RabbitMQ, and of its end. */
export type OnLink = (link: AmqpLink | undefined) => void

export interface Events extends AsyncDisposable {
  /** Whether it takes events from queues that it shares with other instances. */
  freeze?(frozen: boolean): void
}

/** Resolves when the service is ready and registered. @throws MigrationError */
export async function startService(service: Service): Promise<void> {
  const { name, config, folder } = service
  const log = openLog({ service: name, level: config.CONVOY_LOG_LEVEL })
  trust(config)
  const opened = new AsyncDisposableStack()
  shutdownOnSignal(opened, { log, graceMs: GRACE_MS })
  const urls = config.CONVOY_ORCHESTRATOR_URL?.split(',')
  const targets = new Targets(urls ?? [])
  const db = opened.use(openDatabase({ targets, token: config.CONVOY_TOKEN }))
  const readiness = new Readiness()
  const gate = new Gate()
  const parts = service.open({ log, db, opened })
  const http = await listen(service, parts, { log, readiness, gate, opened })

  const zooKeeper = opened.use(await connectZooKeeper(config, log))
  zooKeeper.on(event => readiness.set('zookeeper', event === 'up'))
  readiness.set('zookeeper', true)
  const id = randomUUID()
  const controls = opened.use(
    await listenToControls({
      zookeeper: zooKeeper,
      instance: { id, service: name, pid: process.pid },
      level: config.CONVOY_LOG_LEVEL,
      log,
      gate
    })
  )
  controls.showMetrics(http)
  if (urls === undefined) opened.use(findOrchestrators(zooKeeper, { targets, log }))
  const reached = () => readiness.set('orchestrator', true)
  await bringSchema(db, { service: name, folder, log, reached })
  readiness.set('schema', true)
  const events = opened.use(
    parts.openEvents(link => {
      readiness.set('rabbitmq', link !== undefined)
      if (link !== undefined) controls.attach(link)
    })
  )
  await readiness.until('rabbitmq')

  const registered = opened.use(registerService(zooKeeper, { name, id, http }))
  controls.on((_controls, frozen) => {
    registered.freeze(frozen)
    events.freeze?.(frozen)
  })
  log.info({ http }, 'ready')
}

/** @returns where others reach it */
async function listen(
  { name, title, config }: Service,
  { routes, clear }: ServiceParts,
  base: Omit<ServiceBase, 'db'> & { readonly readiness: Readiness; readonly gate: Gate }
): Promise<string> {
  const { log, readiness, gate, opened } = base
  const app = await openServiceHttp({
    service: name,
    title,
    log,
    metrics: new Registry(),
    tracing: openTracing(config, { service: name, log, opened }),
    readiness,
    gate,
    certificate: certificateOf(config),
    allowClear: config.CONVOY_ALLOW_CLEAR,
    clearTokens: clearTokensOf(config),
    clear: traceId => clear({ requestId: `${name}:clear:${randomUUID()}:all`, traceId }),
    routes
  })
  opened.defer(() => app.close())
  await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
  const http = originOf(app, config.CONVOY_HTTP_HOST)
  log.info({ http }, 'listening')
  return http
}

/** Undefined where the cluster asks for no tokens. */
function clearTokensOf(config: ServiceConfig): Buffer[] | undefined {
  if (config.CONVOY_TOKEN === undefined) return undefined
  const digests = config.CONVOY_CLEAR_TOKEN_DIGESTS?.split(',') ?? []
  return digests.map(hex => Buffer.from(hex, 'hex'))
}

function connectZooKeeper(config: ServiceConfig, log: Logger) {
  return openZooKeeper({
    hosts: config.CONVOY_ZOOKEEPER,
    tls: config.CONVOY_ZOOKEEPER_TLS,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: config.CONVOY_SESSION_TIMEOUT_MS,
    log
  })
}
