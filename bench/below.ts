/**
 * Rows put into workers' databases below Convoy, past capture and log: the quick way to
 * a large database. The same statements run on every worker, and must come to the same
 * rows everywhere: no now(), no random().
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { SETUP_ROLE } from '../workers/postgres/server.ts'

/** As PostgreSQL names its socket: `.s.PGSQL.<port>`. */
const SOCKET = /^\.s\.PGSQL\.(\d+)$/

/** @param workersDir of a system that runs here, as root or its own account */
export async function onEveryWorker(workersDir: string, sql: readonly string[]): Promise<void> {
  await Promise.all(socketsIn(workersDir).map(socketDir => run(socketDir, sql)))
}

/** @returns the first column of the first row, on each worker */
export async function askEveryWorker(workersDir: string, sql: string): Promise<string[]> {
  return Promise.all(
    socketsIn(workersDir).map(async socketDir => {
      const rows = await run(socketDir, [sql])
      return String(Object.values(rows[0] ?? {})[0])
    })
  )
}

function socketsIn(workersDir: string): string[] {
  const all = readdirSync(workersDir).map(name => join(workersDir, name, 'socket'))
  return all.filter(socketDir => existsSync(socketDir))
}

async function run(
  socketDir: string,
  sql: readonly string[]
): Promise<Readonly<Record<string, unknown>>[]> {
  const port = readdirSync(socketDir)
    .map(file => Number(SOCKET.exec(file)?.[1]))
    .find(Number.isInteger)
  if (port === undefined) throw new Error(`no PostgreSQL runs in ${socketDir}`)
  const client = new pg.Client({ host: socketDir, port, user: SETUP_ROLE, database: 'postgres' })
  await client.connect()
  try {
    // No trigger captures, and no foreign key is looked up.
    await client.query('set session_replication_role = replica')
    let rows: Record<string, unknown>[] = []
    for (const text of sql) rows = (await client.query<Record<string, unknown>>(text)).rows
    return rows
  } finally {
    await client.end()
  }
}
