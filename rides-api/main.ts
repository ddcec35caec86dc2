/**
 * One instance of rides-api.
 */
import { join } from 'node:path'
import { startService } from '../platform/service/start.ts'
import { readConfig } from './config.ts'
import { openDeletions } from './deletions.ts'
import { Rides } from './rides.ts'
import { rideRoutes, SERVICE_NAME } from './routes.ts'
import { clockOf } from './timestamps.ts'
import { UserCheck } from './user-check.ts'

const config = readConfig()

await startService({
  name: SERVICE_NAME,
  title: 'Convoy rides',
  config,
  folder: join(import.meta.dirname, 'migrations'),
  open({ log, db, opened }) {
    const check = opened.use(new UserCheck({ lbUrl: config.CONVOY_LB_URL, origin: SERVICE_NAME }))
    const clock = clockOf(config.CONVOY_TIME_ZONE)
    const rides = new Rides({
      db,
      check: (username, context) => check.existsAt(username, context)
    })
    return {
      routes: app => rideRoutes(app, { rides, clock }),
      clear: write => rides.clear(write),
      openEvents: onLink => openDeletions({ url: config.CONVOY_AMQP_URL, db, log, onLink })
    }
  }
})
