/**
 * `convoy/client`: what an application imports (docs/client.md). users-api and rides-api
 * use it as any other does.
 */
import { type Database, openDatabase } from './database.ts'
import { Targets } from './targets.ts'

export { OperationDisabledError } from '../wire/operation-errors.ts'
export type { Context } from './caller.ts'
export type {
  Database,
  ReadAnswer,
  ReadQuery,
  Row,
  Transaction,
  WriteAnswer,
  WriteStatement
} from './database.ts'
export {
  ConstraintError,
  DatabaseError,
  DatabaseUnavailableError,
  ExpectationError,
  RequestIdReusedError,
  UnknownOutcomeError
} from './errors.ts'
export { readPages } from './pages.ts'
export { InvalidParameterError, type JsonObject, type Param } from './params.ts'

export interface ConnectOptions {
  /** Of the orchestrator; of all of them, where there are several. */
  readonly url: string | readonly string[]
  /** Where one is configured (`CONVOY_TOKEN`). */
  readonly token?: string | undefined
}

/** Returns at once: what is asked waits until an orchestrator answers, or its deadline passes. */
export function connect({ url, token }: ConnectOptions): Database {
  return openDatabase({ targets: new Targets([url].flat()), token })
}
