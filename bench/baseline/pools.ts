/**
 * The databases behind the baseline's routes: one PostgreSQL, or a primary with
 * synchronous standbys (PostgreSQL's own streaming replication), where a commit
 * returns when all standbys have applied it, and reads go to the standbys in turn.
 * Made and configured by the same code as a worker's.
 */
import { randomBytes } from 'node:crypto'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { accountFor, makeFolder } from '../../workers/postgres/account.ts'
import { CLONE_ROLE, clonePostgres } from '../../workers/postgres/clone.ts'
import {
  type DatabaseOptions,
  dataDirOf,
  initDatabase,
  type PostgresServer,
  SETUP_ROLE,
  startPostgres
} from '../../workers/postgres/server.ts'

/** As pg has it by default. */
const POOL_MAX = 10

export interface Pools {
  readonly primary: pg.Pool
  /** Of the next standby; of the primary where there is none. */
  readonly reading: pg.Pool
}

export async function openPools(
  place: DatabaseOptions,
  standbys: number,
  opened: AsyncDisposableStack
): Promise<Pools> {
  const inside = (name: string): DatabaseOptions => ({ ...place, dir: join(place.dir, name) })
  await makeFolder(place.dir, await accountFor(place.runAs ?? 'postgres'))
  await initDatabase(inside('primary'))
  const primary = opened.use(await startPostgres(inside('primary')))
  const writing = openPool(primary, opened)
  if (standbys === 0) return { primary: writing, reading: writing }
  const names = Array.from({ length: standbys }, (_, i) => `standby_${i + 1}`)
  const password = randomBytes(16).toString('hex')
  await writing.query(`create role ${CLONE_ROLE} login replication password '${password}'`)
  const pools: pg.Pool[] = []
  for (const name of names) {
    const server = opened.use(await startStandby(inside(name), { primary, name, password }))
    pools.push(openPool(server, opened))
  }
  // Commits would wait for standbys that were not there yet.
  await writing.query(`alter system set synchronous_commit = 'remote_apply'`)
  await writing.query(
    `alter system set synchronous_standby_names = 'FIRST ${standbys} (${names.join(', ')})'`
  )
  await writing.query('select pg_reload_conf()')
  let turn = 0
  return {
    primary: writing,
    get reading() {
      turn = (turn + 1) % pools.length
      return pools[turn] ?? writing
    }
  }
}

async function startStandby(
  place: DatabaseOptions,
  from: { primary: PostgresServer; name: string; password: string }
): Promise<PostgresServer> {
  const { host, port } = from.primary
  await clonePostgres({ ...place, host, port, password: from.password, workerId: from.name })
  const data = dataDirOf(place.dir)
  await writeFile(join(data, 'standby.signal'), '')
  const link = `host=${host} port=${port} user=${CLONE_ROLE} password=${from.password}`
  const settings = `primary_conninfo = '${link} application_name=${from.name}'\n`
  await appendFile(join(data, 'postgresql.auto.conf'), settings)
  return await startPostgres(place)
}

function openPool({ socketDir, port }: PostgresServer, opened: AsyncDisposableStack): pg.Pool {
  const pool = new pg.Pool({
    host: socketDir,
    port,
    user: SETUP_ROLE,
    database: 'postgres',
    max: POOL_MAX
  })
  opened.defer(() => pool.end())
  return pool
}
