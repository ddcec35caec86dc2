/**
 * The orchestrator's database calls as a test makes them.
 */
import { type Answer, call } from '../contract/convoy.ts'
import type { Cluster } from './cluster.ts'

/** Where to call. */
type Orchestrator = Pick<Cluster, 'url'>

export interface Statement {
  readonly sql: string
  readonly params?: readonly unknown[]
  readonly expectRows?: number
}

export interface WriteAnswer {
  readonly requestId: string
  readonly index: number
  readonly term: number
  readonly results: readonly { readonly rowCount: number; readonly rows: readonly Row[] }[]
}

export interface ReadAnswer {
  readonly index: number
  readonly workerId: string
  readonly rows: readonly Row[]
}

type Row = Readonly<Record<string, unknown>>

/** One transaction, whatever becomes of it. */
export function tryWrite(
  { url }: Orchestrator,
  statements: readonly Statement[],
  key?: string
): Promise<Answer> {
  const headers = key === undefined ? {} : { 'idempotency-key': key }
  return call(`POST ${url}/api/v1/db/write`, { body: { statements }, headers })
}

/** One transaction. @throws Error unless it is answered 200 */
export async function write(
  cluster: Orchestrator,
  ...statements: Statement[]
): Promise<WriteAnswer> {
  return answered(await tryWrite(cluster, statements)) as WriteAnswer
}

export interface ReadOptions {
  readonly params?: readonly unknown[]
  readonly consistency?: 'replica' | 'session' | 'strong'
  readonly minIndex?: number
}

/** Strong, unless told otherwise. @throws Error unless it is answered 200 */
export async function read(
  { url }: Orchestrator,
  sql: string,
  options: ReadOptions = {}
): Promise<ReadAnswer> {
  const body = { sql, consistency: 'strong', ...options }
  return answered(await call(`POST ${url}/api/v1/db/read`, { body })) as ReadAnswer
}

function answered({ status, body }: Answer): unknown {
  if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
  return body
}
