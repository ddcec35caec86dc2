/**
 * The start of users-api and rides-api, in the one order that is right: answer health
 * calls first, wait for the orchestrator (schema), RabbitMQ and ZooKeeper as long as
 * it takes, and let lb know of the instance when it can do its work. What is opened
 * goes onto the stack, so that lb is told first when it ends.
 */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import type { Database } from '../client/database.ts'
import type { Http } from '../http.ts'
import type { Logger } from '../log.ts'
import { registerService } from '../registration.ts'
import { openZooKeeper } from '../zookeeper.ts'
import type { ServiceConfig } from './config.ts'
import type { Readiness } from './readiness.ts'
import { bringSchema } from './schema.ts'

export interface ServiceParts {
  readonly name: string
  readonly config: ServiceConfig
  readonly log: Logger
  readonly readiness: Readiness
  readonly app: Http
  readonly db: Database
  /** Of the migrations. */
  readonly folder: string
  /** Opens what needs RabbitMQ, once the schema is there. */
  readonly openEvents: (onLink: (up: boolean) => void) => AsyncDisposable
}

/** Resolves when the service is ready and registered. @throws MigrationError */
export async function startService(
  opened: AsyncDisposableStack,
  parts: ServiceParts
): Promise<void> {
  const { name, config, log, readiness, app, db, folder, openEvents } = parts
  opened.defer(() => app.close())
  await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
  const http = originOf(app, config.CONVOY_HTTP_HOST)
  log.info({ http }, 'listening')

  const reached = () => readiness.set('orchestrator', true)
  await bringSchema(db, { service: name, folder, log, reached })
  readiness.set('schema', true)
  opened.use(openEvents(up => readiness.set('rabbitmq', up)))
  await readiness.until('rabbitmq')

  const zooKeeper = opened.use(await connectZooKeeper(config, log))
  zooKeeper.on(event => readiness.set('zookeeper', event === 'up'))
  readiness.set('zookeeper', true)
  opened.use(registerService(zooKeeper, { name, id: randomUUID(), http }))
  log.info({ http }, 'ready')
}

function connectZooKeeper(config: ServiceConfig, log: Logger) {
  return openZooKeeper({
    hosts: config.CONVOY_ZOOKEEPER,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: config.CONVOY_SESSION_TIMEOUT_MS,
    log
  })
}

/** Where others reach this server: a name of the machine when it listens everywhere. */
function originOf(app: Http, host: string): string {
  const { port } = app.server.address() as AddressInfo
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? hostname() : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
