/**
 * What Convoy is compared with: the same routes on fastify and pg, in front of one
 * PostgreSQL or of a primary with synchronous standbys.
 */
import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import { openLog } from '../../platform/log.ts'
import { shutdownOnSignal } from '../../platform/shutdown.ts'
import { loadBaselineConfig } from './config.ts'
import { databaseRoutes } from './database.ts'
import { openPools } from './pools.ts'
import { rideRoutes } from './rides.ts'

const GRACE_MS = 5_000
const SCHEMAS = [
  new URL('../../users-api/migrations/001-users.sql', import.meta.url),
  new URL('../../rides-api/migrations/001-rides.sql', import.meta.url)
]

const config = loadBaselineConfig()
const log = openLog({ service: 'baseline', level: 'warn' })
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: GRACE_MS })

const place = {
  dir: config.BASELINE_DIR,
  binDir: config.BASELINE_POSTGRES_BIN,
  runAs: config.BASELINE_POSTGRES_USER
}
const pools = await openPools(place, config.BASELINE_STANDBYS, opened)
for (const file of SCHEMAS) await pools.primary.query(await readFile(file, 'utf8'))

const app = Fastify()
await app.register(databaseRoutes, { pools })
await app.register(rideRoutes, { pools })
app.get('/readyz', () => ({ ready: true }))
opened.defer(() => app.close())
await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
