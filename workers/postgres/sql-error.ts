/**
 * Errors that PostgreSQL answers with, and what they mean to a worker.
 */
import { DiskFullError, StoreLostError } from '../store.ts'
import type { Step } from './connection.ts'

const DISK_FULL = '53100'

export interface SqlError {
  readonly sqlstate: string
  readonly message: string
  /** 1-based, in characters of the statement. */
  readonly position: number | undefined
  readonly constraint: string | undefined
  readonly hint: string | undefined
  readonly severity: string
}

/** An error of PostgreSQL that is not a command's own. */
export function lostTo(error: SqlError): StoreLostError | DiskFullError {
  if (isDiskFull(error)) return new DiskFullError(error.message)
  return new StoreLostError(`PostgreSQL failed: ${error.sqlstate} ${error.message}`)
}

/** Without room for the folder of temporary files, PostgreSQL says only that there is none. */
export const isDiskFull = ({ sqlstate, message }: SqlError): boolean =>
  sqlstate === DISK_FULL || message.startsWith('could not create temporary file')

/** A prepared statement that a schema change has made useless, or that could not be prepared. */
export const isStale = (step: Step, { sqlstate, message }: SqlError): boolean =>
  step.name !== undefined &&
  (sqlstate === '26000' || (sqlstate === '0A000' && message.startsWith('cached plan')))

/** Two transactions were in each other's way, and this one gave way: a schema change and a read. */
export const isContended = ({ sqlstate }: SqlError): boolean => sqlstate.startsWith('40')
