/**
 * A service's schema as numbered SQL files (`001-users.sql`, 002, ... without gaps),
 * applied through the orchestrator at the service's start. In a file, a statement
 * ends with a semicolon that ends its line; so no other line may end with one.
 * Invariants:
 * - Exactly once: a migration and its row in `convoy_migrations` are one transaction,
 *   and that table's primary key settles who wins when many instances start together.
 * - What was applied is what the files say; anything else stops the service.
 */
import { hash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from './database.ts'
import { ConstraintError, DatabaseError } from './errors.ts'

export interface Migration {
  readonly number: number
  readonly name: string
  readonly digest: string
  readonly statements: readonly string[]
}

/** A row of `convoy_migrations`. */
export interface Applied {
  readonly number: number
  readonly name: string
  readonly digest: string
}

export interface Migrating {
  readonly service: string
  readonly folder: string
  readonly reached?: () => void
}

/** The files, the record of migrations or the database disagree; only an operator can tell which is right. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

const HISTORY = `create table if not exists convoy_migrations (
  service text not null,
  number integer not null,
  name text not null,
  digest text not null,
  applied_at timestamptz not null default now(),
  primary key (service, number)
)`

const RECORD =
  'insert into convoy_migrations (service, number, name, digest) values ($1, $2, $3, $4)'

const APPLIED =
  'select number, name, digest from convoy_migrations where service = $1 order by number'

const recordRemoved = (name: string) =>
  `migration ${name} was applied, but convoy_migrations does not name it: ` +
  'the record of migrations was removed'

/**
 * Brings the schema of `service` to what the files in `folder` say.
 * @param reached is called when the database has answered, before anything is changed
 * @returns names of the migrations that this call applied
 * @throws MigrationError when the files and what was applied differ, a file is refused by the
 *   database, or a migration was applied but its record is gone
 */
export async function migrate(
  db: Database,
  { service, folder, reached = () => {} }: Migrating
): Promise<string[]> {
  const files = await readMigrations(folder)
  const applied: string[] = []
  let last: Migration | undefined
  for (;;) {
    const next = nextMigration(files, await appliedTo(db, service))
    reached()
    if (next === undefined) return applied
    // The stored answer of its request id would say "applied" again and again.
    if (next === last) throw new MigrationError(recordRemoved(next.name))
    if (await apply(db, { service, migration: next })) applied.push(next.name)
    last = next
  }
}

/**
 * The first migration that is still to be applied; undefined when none is.
 * @throws MigrationError when what was applied is not the beginning of `files`
 */
export function nextMigration(
  files: readonly Migration[],
  applied: readonly Applied[]
): Migration | undefined {
  for (const [i, row] of applied.entries()) {
    const file = files[i]
    if (file === undefined || file.number !== row.number) {
      throw new MigrationError(`migration ${row.name} was applied, but its file is missing`)
    }
    if (file.digest !== row.digest) {
      throw new MigrationError(`migration ${file.name} differs from what was applied`)
    }
  }
  return files[applied.length]
}

/** @throws MigrationError when the names are not numbered 001, 002, ... */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (file, i) => {
      const number = Number(/^(\d{3})-/.exec(file)?.[1])
      if (number !== i + 1) throw new MigrationError(`migration ${file} is not number ${i + 1}`)
      const text = await readFile(join(folder, file), 'utf8')
      return { number, name: file, digest: digestOf(text), statements: statementsOf(text) }
    })
  )
}

/** Splits a file's text at each semicolon that ends a line. */
export function statementsOf(text: string): string[] {
  return text
    .split(/;[ \t\r]*(?:\n|$)/)
    .map(part => part.trim())
    .filter(part => part.replace(/^--.*$/gm, '').trim() !== '')
}

/** The same for a checkout with other line ends. */
const digestOf = (text: string) => hash('sha256', text.replaceAll('\r\n', '\n'), 'hex').slice(0, 32)

/** Read in the write that makes the table, so that a start is no load of reads for the scaling. */
async function appliedTo(db: Database, service: string): Promise<readonly Applied[]> {
  const statements = [{ sql: HISTORY }, { sql: APPLIED, params: [service] }]
  const answer = await db.write(statements, { requestId: `${service}:schema:${randomUUID()}` })
  return answer.results[1]?.rows as unknown as readonly Applied[]
}

/** @returns false when another instance was first */
async function apply(
  db: Database,
  { service, migration }: { service: string; migration: Migration }
): Promise<boolean> {
  const { number, name, digest } = migration
  // Recorded first: whoever comes second fails here, before any change of the schema.
  const record = { sql: RECORD, params: [service, number, name, digest] }
  const statements = [record, ...migration.statements.map(sql => ({ sql }))]
  try {
    await db.write(statements, { requestId: `${service}:migration:${number}:${digest}` })
    return true
  } catch (err) {
    if (err instanceof ConstraintError && err.constraint === 'convoy_migrations_pkey') return false
    if (err instanceof DatabaseError) {
      throw new MigrationError(`migration ${name} failed: ${err.message}`, { cause: err })
    }
    throw err
  }
}
