/**
 * Errors that PostgreSQL answers with, and what they mean to a worker. An error is its
 * statement's own, and the caller's to hear, unless it proves that the server is broken:
 * it ended the session, or names damaged or unreadable data. Codes that a broken server
 * and a mere statement share are doubtful; a probe on another connection decides.
 */
import { DiskFullError, StoreLostError } from '../store.ts'
import type { SqlError, Step } from './steps.ts'

const DISK_FULL = '53100'
export const OUT_OF_MEMORY = '53200'
/** Convoy's own: a command changes more than an entry may hold. */
export const TOO_LARGE = 'CV004'
/** Damaged data (XX001, XX002), and a disk that fails to read or write (58030 stands for EIO). */
const DAMAGE = new Set(['XX001', 'XX002', '58030'])
/** A file of the database itself, and not one that a statement named, cannot be opened. */
const LOST_FILE = /^could not open file "(base|global|pg_wal|pg_xact|pg_multixact|pg_subtrans)\//
const NO_FILE = '58P01'
/** Where sorts and hashes put what exceeds their memory: `base/pgsql_tmp/pgsql_tmp123.0`. */
const TEMPORARY_FILE = /"[^"]*pgsql_tmp|^could not (create|write to|read from) .*temporary file/
/** Not found by its object identifier, dropped or changed meanwhile. */
const CATALOG_RACE = /cache lookup failed|could not (open|find)|does not exist|concurrently|dropped/
/** Connections (08), resources (53), an operator (57), the system (58, F0, XX). */
const DOUBTFUL_CLASSES = new Set(['08', '53', '57', '58', 'F0', 'XX'])
/** Timeout or cancel, temp_file_limit, memory, a COPY that nobody feeds: by the statement alone. */
const STATEMENT_STATES = new Set(['57014', '53400', OUT_OF_MEMORY, '08P01'])

/** What an error of a statement says about the server that answered with it. */
export type Verdict = 'statement' | 'doubtful' | 'server'

export function verdictOf(error: SqlError): Verdict {
  const { severity, sqlstate, message } = error
  if (severity !== 'ERROR' || DAMAGE.has(sqlstate)) return 'server'
  if (isDiskFull(error)) return fillsDisk(error) ? 'statement' : 'server'
  if (sqlstate === NO_FILE && LOST_FILE.test(message)) return 'server'
  if (STATEMENT_STATES.has(sqlstate)) return 'statement'
  return DOUBTFUL_CLASSES.has(sqlstate.slice(0, 2)) ? 'doubtful' : 'statement'
}

/** Of a statement of Convoy's own: it is no client's, and in doubt it is the server's. */
export const isOfServer = (error: SqlError): boolean =>
  verdictOf(error) !== 'statement' || /^(53|57)/.test(error.sqlstate)

/** The connection ends with it, or somebody asked for its end. */
export const endsSession = ({ severity, sqlstate }: SqlError): boolean =>
  severity !== 'ERROR' || sqlstate.startsWith('57') || sqlstate.startsWith('08')

/** An error that no caller is told: of Convoy's own statement, or of a broken server. */
export function lostTo(error: SqlError): StoreLostError | DiskFullError {
  if (isDiskFull(error)) return new DiskFullError(error.message)
  return new StoreLostError(`PostgreSQL failed: ${error.sqlstate} ${error.message}`)
}

/** Without room for the folder of temporary files, PostgreSQL says only that there is none. */
export const isDiskFull = ({ sqlstate, message }: SqlError): boolean =>
  sqlstate === DISK_FULL || message.startsWith('could not create temporary file')

/** The disk had no room for what the statement sorted or hashed; that is free again. */
const fillsDisk = ({ message }: SqlError): boolean => TEMPORARY_FILE.test(message)

/** A prepared statement that a schema change has made useless, or that could not be prepared. */
export const isStale = (step: Step, { sqlstate, message }: SqlError): boolean =>
  step.name !== undefined &&
  (sqlstate === '26000' || (sqlstate === '0A000' && message.startsWith('cached plan')))

/** Two transactions were in each other's way, and this one gave way: a schema change and a read. */
export const isContended = ({ sqlstate }: SqlError): boolean => sqlstate.startsWith('40')

/**
 * The catalog may have changed while the statement looked at it. Such errors have no code of their
 * own; in a new snapshot they are gone.
 */
export const mayBeCatalogRace = ({ sqlstate, message }: SqlError): boolean =>
  sqlstate === 'XX000' && CATALOG_RACE.test(message)
