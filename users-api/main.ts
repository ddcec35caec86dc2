/**
 * One instance of users-api.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { openDatabase } from '../platform/client/database.ts'
import { openLog } from '../platform/log.ts'
import { openServiceHttp } from '../platform/service/http.ts'
import { Readiness } from '../platform/service/readiness.ts'
import { startService } from '../platform/service/start.ts'
import { shutdownOnSignal } from '../platform/shutdown.ts'
import { readConfig } from './config.ts'
import { Outbox } from './outbox.ts'
import { PasswordHasher } from './passwords.ts'
import { openRelay, type Relay } from './relay.ts'
import { SERVICE_NAME, userRoutes } from './routes.ts'
import { Users } from './users.ts'

const GRACE_MS = 5_000

const config = readConfig()
const log = openLog({ service: SERVICE_NAME, level: config.CONVOY_LOG_LEVEL })
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: GRACE_MS })

const readiness = new Readiness()
const urls = config.CONVOY_ORCHESTRATOR_URL
const db = opened.use(openDatabase({ urls, token: config.CONVOY_TOKEN }))
const users = new Users(db)
const hasher = new PasswordHasher({
  costLog2: config.CONVOY_SCRYPT_COST_LOG2,
  queueMax: config.CONVOY_SCRYPT_QUEUE_MAX
})
let relay: Relay | undefined

const app = await openServiceHttp({
  service: SERVICE_NAME,
  title: 'Convoy users',
  log,
  metrics: new Registry(),
  readiness,
  allowClear: config.CONVOY_ALLOW_CLEAR,
  clear: traceId => users.clear({ requestId: `users-api:clear:${randomUUID()}:all`, traceId }),
  routes: routes => userRoutes(routes, { db, users, hasher, relay: () => relay as Relay })
})

await startService(opened, {
  name: SERVICE_NAME,
  config,
  log,
  readiness,
  app,
  db,
  folder: join(import.meta.dirname, 'migrations'),
  openEvents: onLink => {
    relay = openRelay({ url: config.CONVOY_AMQP_URL, outbox: new Outbox(db), log, onLink })
    return relay
  }
})
