/**
 * Decides what SQL the cluster takes, before anything is sent. One statement per
 * `sql`, of a kind that every worker runs alike; the rights of the database's roles
 * stand behind this as a second wall.
 * Invariant: what is admitted as reading holds nothing that writes or locks.
 */
import { hash } from 'node:crypto'
import type { RawStmt } from 'libpg-query'
import { InvalidRequestError } from '../../platform/errors.ts'
import type { Param, StatementKind } from '../../platform/wire/requests.ts'
import { ParamCountError, SqlNotAllowedError, StatementError } from '../errors.ts'
import { type Findings, walk } from './findings.ts'
import type { Parser } from './parser.ts'
import { isSchemaChange, refuseKept, refuseSchemaChange } from './schema-changes.ts'
import { statementName } from './statement-names.ts'
import { VerdictCache } from './verdict-cache.ts'

/** Parsing a megabyte takes some 0.3 s; values belong into parameters. */
const SQL_CHARS_MAX = 1_200_000
/** Of PostgreSQL's protocol. */
const PARAMS_MAX = 65_535
export const STATEMENTS_MAX = 1_000

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

/** As the caller sent it. */
export interface AskedStatement {
  readonly sql: string
  readonly params?: readonly Param[]
  readonly expectRows?: number
}

export interface Verdict {
  readonly kind: StatementKind
  /** Neither writes nor locks. */
  readonly onlyReads: boolean
  /** Parameters that the statement names. */
  readonly params: number
}

/** JSON text of the statements, and its digest. */
export interface AdmittedWrite {
  readonly statements: string
  readonly commandHash: string
}

export interface Admission {
  /** @throws ServiceError saying which statement is refused, and why */
  write(statements: readonly AskedStatement[]): AdmittedWrite
  /** @throws ServiceError */
  read(sql: string, params: readonly Param[]): void
}

export function openAdmission(parser: Parser): Admission {
  const verdicts = new VerdictCache<Verdict>()
  const verdictOf = (sql: string) => verdicts.get(sql) ?? verdicts.keep(sql, examine(parser, sql))
  return {
    write: asked => {
      const statements = asked.map(({ sql, params = [], expectRows }, at) => {
        const { kind } = admitOne(verdictOf, { sql, params, at })
        return expectRows === undefined ? { sql, params, kind } : { sql, params, kind, expectRows }
      })
      return sealWrite(statements)
    },
    read: (sql, params) => {
      const { onlyReads } = admitOne(verdictOf, { sql, params, at: null })
      if (!onlyReads) throw new SqlNotAllowedError('only reading statements are taken here')
    }
  }
}

/** The same statements give the same digest, in whatever process. */
export function sealWrite(statements: readonly object[]): AdmittedWrite {
  const text = JSON.stringify(statements)
  return { statements: text, commandHash: hash('sha256', text, 'base64url').slice(0, 22) }
}

interface Asked {
  readonly sql: string
  readonly params: readonly Param[]
  /** Position in a list; null for a read, which is alone. */
  readonly at: number | null
}

function admitOne(verdictOf: (sql: string) => Verdict, asked: Asked): Verdict {
  const { sql, params, at } = asked
  try {
    checkParams(params)
    const verdict = verdictOf(sql)
    if (params.length !== verdict.params) {
      throw new ParamCountError({ given: params.length, wanted: verdict.params })
    }
    return verdict
  } catch (error) {
    throw error instanceof StatementError && at !== null ? error.inStatement(at) : error
  }
}

function checkParams(params: readonly Param[]): void {
  if (params.length > PARAMS_MAX) {
    throw new InvalidRequestError(`more than ${PARAMS_MAX} parameters in one statement`)
  }
  for (const param of params) {
    // JSON.parse has rounded it already; what would be written is not what was sent.
    if (typeof param === 'number' && Number.isInteger(param) && !Number.isSafeInteger(param)) {
      throw new InvalidRequestError('integers beyond 2^53 are sent as strings, to stay exact')
    }
  }
}

/** @throws SqlSyntaxError, SqlNotAllowedError */
export function examine(parser: Parser, sql: string): Verdict {
  if (sql.length > SQL_CHARS_MAX) {
    throw new SqlNotAllowedError(
      `a statement has at most ${SQL_CHARS_MAX} characters; send values as parameters`
    )
  }
  // The parser would stop there, and the database's protocol too.
  if (sql.includes('\0')) throw new SqlNotAllowedError('a statement holds no character 0')
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
