/**
 * What Convoy is compared with: the same routes on fastify and a pool of connections
 * to one PostgreSQL, made and configured by the same code as a worker's.
 */
import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import pg from 'pg'
import { openLog } from '../../platform/log.ts'
import { shutdownOnSignal } from '../../platform/shutdown.ts'
import { initDatabase, SETUP_ROLE, startPostgres } from '../../workers/postgres/server.ts'
import { loadBaselineConfig } from './config.ts'
import { databaseRoutes } from './database.ts'
import { rideRoutes } from './rides.ts'

const GRACE_MS = 5_000
/** As pg has it by default. */
const POOL_MAX = 10
const RIDES_SCHEMA = new URL('../../rides-api/migrations/001-rides.sql', import.meta.url)

const config = loadBaselineConfig()
const log = openLog({ service: 'baseline', level: 'warn' })
const opened = new AsyncDisposableStack()
shutdownOnSignal(opened, { log, graceMs: GRACE_MS })

const place = {
  dir: config.BASELINE_DIR,
  binDir: config.BASELINE_POSTGRES_BIN,
  runAs: config.BASELINE_POSTGRES_USER
}
await initDatabase(place)
const postgres = opened.use(await startPostgres(place))
const pool = new pg.Pool({
  host: postgres.socketDir,
  port: postgres.port,
  user: SETUP_ROLE,
  database: 'postgres',
  max: POOL_MAX
})
opened.defer(() => pool.end())
await pool.query(await readFile(RIDES_SCHEMA, 'utf8'))

const app = Fastify()
await app.register(databaseRoutes, { pool })
await app.register(rideRoutes, { pool })
app.get('/readyz', () => ({ ready: true }))
opened.defer(() => app.close())
await app.listen({ host: config.CONVOY_HTTP_HOST, port: config.CONVOY_HTTP_PORT })
