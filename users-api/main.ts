/**
 * One instance of users-api.
 */
import { join } from 'node:path'
import { startService } from '../platform/service/start.ts'
import { readConfig } from './config.ts'
import { Outbox } from './outbox.ts'
import { PasswordHasher } from './passwords.ts'
import { openRelay, type Relay } from './relay.ts'
import { SERVICE_NAME, userRoutes } from './routes.ts'
import { Users } from './users.ts'

const config = readConfig()

await startService({
  name: SERVICE_NAME,
  title: 'Convoy users',
  config,
  folder: join(import.meta.dirname, 'migrations'),
  open({ log, db }) {
    const users = new Users(db)
    const hasher = new PasswordHasher({
      costLog2: config.CONVOY_SCRYPT_COST_LOG2,
      queueMax: config.CONVOY_SCRYPT_QUEUE_MAX
    })
    let relay: Relay | undefined
    return {
      routes: app => userRoutes(app, { db, users, hasher, relay: () => relay as Relay }),
      clear: write => users.clear(write),
      openEvents: onLink => {
        relay = openRelay({ url: config.CONVOY_AMQP_URL, outbox: new Outbox(db), log, onLink })
        return relay
      }
    }
  }
})
