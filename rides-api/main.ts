/**
 * One instance of rides-api.
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
import { openDeletions } from './deletions.ts'
import { Rides } from './rides.ts'
import { rideRoutes, SERVICE_NAME } from './routes.ts'
import { clockOf } from './timestamps.ts'
import { UserCheck } from './user-check.ts'

const GRACE_MS = 5_000

const config = readConfig()
const log = openLog({ service: SERVICE_NAME, level: config.CONVOY_LOG_LEVEL })
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: GRACE_MS })

const readiness = new Readiness()
const urls = config.CONVOY_ORCHESTRATOR_URL
const db = opened.use(openDatabase({ urls, token: config.CONVOY_TOKEN }))
const check = opened.use(new UserCheck({ lbUrl: config.CONVOY_LB_URL, origin: SERVICE_NAME }))
const clock = clockOf(config.CONVOY_TIME_ZONE)
const rides = new Rides({ db, check: (username, context) => check.existsAt(username, context) })

const app = await openServiceHttp({
  service: SERVICE_NAME,
  title: 'Convoy rides',
  log,
  metrics: new Registry(),
  readiness,
  allowClear: config.CONVOY_ALLOW_CLEAR,
  clear: traceId => rides.clear({ requestId: `rides-api:clear:${randomUUID()}:all`, traceId }),
  routes: routes => rideRoutes(routes, { rides, clock })
})

await startService(opened, {
  name: SERVICE_NAME,
  config,
  log,
  readiness,
  app,
  db,
  folder: join(import.meta.dirname, 'migrations'),
  openEvents: onLink => openDeletions({ url: config.CONVOY_AMQP_URL, db, log, onLink })
})
