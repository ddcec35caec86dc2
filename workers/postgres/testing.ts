/**
 * Real PostgreSQL for tests, each on a folder of its own under /tmp. A file's first
 * database is made by initdb; further ones are copies of its files, made before any
 * server ran on them.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import type { Statement, WriteCommand } from '../../platform/wire/requests.ts'
import type { Executed, Store } from '../store.ts'
import type { Limits } from './limits.ts'
import { initDatabase, type PostgresServer, startPostgres } from './server.ts'
import { openStore } from './store.ts'

export const BIN_DIR = '/usr/lib/postgresql/15/bin'
export const CLONE_PASSWORD = 'clone-secret'

/** A folder that PostgreSQL's account can reach, gone when the test ends. */
export async function temporaryFolder(t: Test): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'convoy-pg-'))
  t.teardown(() => rm(base, { recursive: true, force: true }))
  await chmod(base, 0o755)
  return base
}

let template: Promise<string> | undefined

async function makeTemplate(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'convoy-template-'))
  await chmod(base, 0o755)
  process.once('exit', () => void rm(base, { recursive: true, force: true }))
  const dir = join(base, 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  return dir
}

export interface TestWorker {
  readonly dir: string
  readonly server: PostgresServer
  readonly store: Store
}

export async function startWorker(t: Test, limits: Partial<Limits> = {}): Promise<TestWorker> {
  const dir = join(await temporaryFolder(t), 'w')
  template ??= makeTemplate()
  // Owners and modes must stay as they are.
  await promisify(execFile)('cp', ['-a', await template, dir])
  return openWorker(t, dir, limits)
}

export async function openWorker(
  t: Test,
  dir: string,
  limits: Partial<Limits> = {}
): Promise<TestWorker> {
  const server = await startPostgres({ dir, binDir: BIN_DIR })
  t.teardown(() => server.stop())
  const { socketDir, port } = server
  const identity = { workerId: 'w1', secret: 'test-secret', clonePassword: CLONE_PASSWORD }
  const store = await openStore({ socketDir, port, ...identity, limits })
  t.teardown(() => store[Symbol.asyncDispose]())
  return { dir, server, store }
}

let made = 0

/** A command of one or more statements; `dml` unless told otherwise. */
export function command(
  statements: readonly (string | Partial<Statement>)[],
  more: Partial<WriteCommand> = {}
): WriteCommand {
  made += 1
  return {
    requestId: `r${made}`,
    commandHash: 'h',
    ttlMs: 10_000,
    mayRepeat: false,
    statements: statements.map(statement => ({
      sql: '',
      params: [],
      kind: 'dml',
      ...(typeof statement === 'string' ? { sql: statement } : statement)
    })),
    ...more
  }
}

export const ddl = (sql: string): WriteCommand => command([{ sql, kind: 'ddl' }])

/** The entry of an outcome that must be one. */
export function entryOf(executed: Executed | undefined) {
  if (executed?.kind !== 'entry') throw new Error(`no entry: ${JSON.stringify(executed)}`)
  return executed.entry
}
