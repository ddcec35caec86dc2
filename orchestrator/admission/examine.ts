/**
 * Decides what one statement is, and whether the cluster takes it: of a kind that every
 * worker runs alike. Pure but for the parser, so it runs in any thread.
 */
import type { RawStmt } from 'libpg-query'
import type { StatementKind } from '../../wire/requests.ts'
import { SqlNotAllowedError, SqlSyntaxError, StatementError } from '../errors.ts'
import { extentOf } from './extent.ts'
import { type Findings, walk } from './findings.ts'
import type { Parser } from './parser.ts'
import { isSchemaChange, refuseKept, refuseSchemaChange } from './schema-changes.ts'
import { statementName } from './statement-names.ts'

const KINDS: Readonly<Record<string, StatementKind>> = {
  SelectStmt: 'read',
  InsertStmt: 'dml',
  UpdateStmt: 'dml',
  DeleteStmt: 'dml',
  MergeStmt: 'dml',
  TruncateStmt: 'truncate'
}

const CONVOY_SCHEMA = 'convoy'
/** What reaches past the rows: other sessions, files, settings, locks, sleeping. */
const FORBIDDEN =
  /^(pg_(sleep|terminate_|cancel_|advisory_|try_advisory_|read_|ls_|stat_file|notify|export_snapshot|logical_|replication_|create_|drop_|promote|reload_conf|rotate_logfile|switch_wal|backup_|start_backup|stop_backup|wal_|log_backend|file_).*|lo_.*|loread|lowrite|set_config|dblink.*|(query|cursor|table|schema|database)_to_xml.*)$/

export interface Verdict {
  readonly kind: StatementKind
  /** Neither writes nor locks. */
  readonly onlyReads: boolean
  /** Parameters that the statement names. */
  readonly params: number
}

/** As it crosses from thread to thread. */
export type Examined =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'syntax'; readonly message: string; readonly position: number }
  | { readonly kind: 'notAllowed'; readonly message: string }

export function examined(parser: Parser, sql: string): Examined {
  try {
    return { kind: 'verdict', verdict: examine(parser, sql) }
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    const { message } = error
    if (!(error instanceof SqlSyntaxError)) return { kind: 'notAllowed', message }
    return { kind: 'syntax', message, position: Number(error.details['position']) }
  }
}

/** @throws SqlSyntaxError, SqlNotAllowedError */
export function verdictOf(found: Examined): Verdict {
  if (found.kind === 'verdict') return found.verdict
  if (found.kind === 'notAllowed') throw new SqlNotAllowedError(found.message)
  throw new SqlSyntaxError(found.message, found.position)
}

/** @throws SqlSyntaxError, SqlNotAllowedError */
export function examine(parser: Parser, sql: string): Verdict {
  // The parser would stop there, and the database's protocol too.
  if (sql.includes('\0')) throw new SqlNotAllowedError('a statement holds no character 0')
  if (!sql.isWellFormed()) {
    throw new SqlNotAllowedError('a statement holds no half of a surrogate pair')
  }
  extentOf(sql)
  const { tag, body } = theOne(sql.trim() === '' ? [] : parser.parse(sql))
  const found = walk({ [tag]: body })
  refuseEverywhere(found)
  const kept = refuseKept(tag, body)
  if (kept !== undefined) throw new SqlNotAllowedError(kept)
  if (isSchemaChange(tag)) {
    const reason = refuseSchemaChange(tag, body)
    if (reason !== undefined) throw new SqlNotAllowedError(reason)
    return { kind: 'ddl', onlyReads: false, params: found.params }
  }
  const kind = KINDS[tag]
  if (kind === undefined) throw new SqlNotAllowedError(`${statementName(tag, body)} is not taken`)
  const onlyReads = kind === 'read' && !found.writes && !found.locks
  return { kind: kind === 'read' && found.writes ? 'dml' : kind, onlyReads, params: found.params }
}

function theOne(statements: readonly RawStmt[]): { tag: string; body: unknown } {
  if (statements.length !== 1) {
    throw new SqlNotAllowedError(
      statements.length === 0 ? 'there is no statement' : 'one statement in each sql, not several'
    )
  }
  const [tag, body] = Object.entries(statements[0]?.stmt ?? {})[0] ?? ['nothing', {}]
  return { tag, body }
}

function refuseEverywhere(found: Findings): void {
  if (found.into) {
    throw new SqlNotAllowedError('SELECT INTO is not taken')
  }
  if (found.schemas.has(CONVOY_SCHEMA)) {
    throw new SqlNotAllowedError(`the schema ${CONVOY_SCHEMA} is Convoy's own`)
  }
  const forbidden = [...found.functions].find(name => FORBIDDEN.test(name))
  if (forbidden !== undefined) throw new SqlNotAllowedError(`${forbidden}() is not taken`)
}
