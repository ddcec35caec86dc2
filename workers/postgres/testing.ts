/**
 * Real PostgreSQL for tests, each on a folder of its own under /tmp. A file's first
 * database is made by initdb; further ones are copies of its files, made before any
 * server ran on them.
 */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Test } from 'tap'
import type { ReadCommand, Statement, WriteCommand } from '../../wire/requests.ts'
import type { Item, Mark, Part, Report } from '../../wire/verify.ts'
import type { Entry } from '../entry.ts'
import type { Executed, Postponed, Store } from '../store.ts'
import { differing as differingItems } from './comparison.ts'
import { BACKEND_MEMORY_MIB, type Limits } from './limits.ts'
import {
  initDatabase,
  type PostgresServer,
  SETUP_ROLE,
  type StartOptions,
  startPostgres
} from './server.ts'
import { openStore, type StoreOptions } from './store.ts'

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
  process.once('exit', () => rmSync(base, { recursive: true, force: true }))
  const dir = join(base, 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  return dir
}

export interface TestWorker {
  readonly dir: string
  readonly server: PostgresServer
  readonly store: Store
}

export async function startWorker(
  t: Test,
  limits: Partial<Limits> = {},
  options: Partial<StoreOptions & Pick<StartOptions, 'backendMemoryMiB'>> = {}
): Promise<TestWorker> {
  const dir = join(await temporaryFolder(t), 'w')
  template ??= makeTemplate()
  // Owners and modes must stay as they are.
  await promisify(execFile)('cp', ['-a', await template, dir])
  return openWorker(t, dir, limits, options)
}

export async function openWorker(
  t: Test,
  dir: string,
  limits: Partial<Limits> = {},
  options: Partial<StoreOptions & Pick<StartOptions, 'backendMemoryMiB'>> = {}
): Promise<TestWorker> {
  const { backendMemoryMiB = BACKEND_MEMORY_MIB, ...rest } = options
  const server = await startPostgres({ dir, binDir: BIN_DIR, backendMemoryMiB })
  t.teardown(() => server.stop())
  const identity = { workerId: 'w1', secret: 'test-secret', clonePassword: CLONE_PASSWORD }
  const store = await openStore({ server, ...identity, limits, ...rest })
  t.teardown(() => store[Symbol.asyncDispose]())
  return { dir, server, store }
}

/** A statement as nobody but the server's own setup may run it; returns the first value, as text. */
export async function below({ socketDir, port }: PostgresServer, sql: string): Promise<string> {
  const client = new pg.Client({ host: socketDir, port, user: SETUP_ROLE, database: 'postgres' })
  await client.connect()
  try {
    // Of several statements it is an array of results.
    const results = [await client.query({ text: sql, rowMode: 'array' })].flat()
    return String(results.at(-1)?.rows[0]?.[0])
  } finally {
    await client.end()
  }
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
export function entryOf(executed: Executed | Postponed | undefined) {
  if (executed?.kind !== 'entry') throw new Error(`no entry: ${JSON.stringify(executed)}`)
  return executed.entry
}

export interface Pair {
  readonly master: TestWorker
  readonly replica: TestWorker
  /** Executes a batch on the master and applies its entries on the replica. */
  run(...batch: readonly WriteCommand[]): Promise<Entry[]>
  /** What differs between the two, and what is wrong with the replica: a whole verification. */
  differing(): Promise<readonly string[]>
}

/** A master of term 1 and a replica that has what the master has. */
export async function startPair(t: Test, limits: Partial<Limits> = {}): Promise<Pair> {
  const [master, replica] = await Promise.all([startWorker(t, limits), startWorker(t, limits)])
  await replica.store.apply([await master.store.beginTerm(1)], 1)
  const run = async (...batch: readonly WriteCommand[]) => {
    const entries = (await master.store.execute(batch, 1)).map(entryOf)
    await replica.store.apply(entries, 1)
    return entries
  }
  const differing = async () => {
    const found = await verifyBoth({ master, replica, run })
    return differingItems(found.replica, found.master)
  }
  return { master, replica, run, differing }
}

type Found = Extract<Report, { kind: 'done' }>

/** Asks both for one part, at one index. */
export async function partOf(
  { master, replica, run }: Pick<Pair, 'master' | 'replica' | 'run'>,
  part: Part
): Promise<{ master: Report; replica: Report }> {
  const mark: Mark = { id: `m${made}`, replyTo: 'q', askedAtMs: Date.now(), part }
  const heard = [master, replica].map(({ store }) => {
    const { promise, resolve } = Promise.withResolvers<Report>()
    store.onReport((_to, report) => report.kind !== 'working' && resolve(report))
    return promise
  })
  await run(command([{ kind: 'verify', sql: JSON.stringify(mark) }]))
  const [ofMaster, ofReplica] = await Promise.all(heard)
  if (ofMaster === undefined || ofReplica === undefined) throw new Error('no report')
  return { master: ofMaster, replica: ofReplica }
}

/** All that both hold, in as few parts as there are kinds. */
export async function verifyBoth(pair: Pick<Pair, 'master' | 'replica' | 'run'>) {
  const items: { master: Item[]; replica: Item[] } = { master: [], replica: [] }
  const ask = async (part: Part) => {
    const reports = await partOf(pair, part)
    items.master.push(...foundIn(reports.master).items)
    items.replica.push(...foundIn(reports.replica).items)
    return reports
  }
  await ask({ kind: 'log' })
  const { tables } = foundIn((await ask({ kind: 'schema' })).master)
  const rows = 1_000_000
  const ranges = tables.map(({ name }) => ({ table: name, after: null, rows }))
  await ask({ kind: 'rows', ranges })
  const indexes = items.replica.filter(({ kind }) => kind === 'index')
  await ask({ kind: 'indexes', names: indexes.map(({ name }) => name) })
  return items
}

function foundIn(report: Report): Found {
  if (report.kind !== 'done') throw new Error(JSON.stringify(report))
  return report
}

export interface ReadBody {
  readonly index: number
  readonly workerId: string
  readonly fields: readonly { name: string; type: string }[]
  readonly rows: readonly Record<string, unknown>[]
}

/** One read's status and body. */
export async function readOf(
  store: Store,
  sql: string,
  params: ReadCommand['params'] = []
): Promise<{ status: number; body: ReadBody & { code?: string; sqlstate?: string } }> {
  const [came] = await Promise.all(store.read([{ readId: 'r', sql, params, ttlMs: 10_000 }]))
  if (came === undefined) throw new Error('no answer')
  return { status: came.answer.status, body: JSON.parse(came.answer.body) }
}

export async function rowsOf(store: Store, sql: string): Promise<readonly unknown[]> {
  const { status, body } = await readOf(store, sql)
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body.rows
}

/** The parsed result of an entry: results of statements, or the error body. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of many shapes
export const resultOf = (entry: Entry | undefined): any => JSON.parse(entry?.result ?? 'null')
