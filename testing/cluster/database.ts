/**
 * The orchestrator's database calls as a test makes them.
 */
import { type Answer, call } from '../convoy.ts'

/** Where to call. */
export interface Orchestrator {
  readonly url: string
  /** Where it asks for one. */
  readonly token?: string
}

export const bearerOf = ({ token }: Orchestrator): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

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
  orchestrator: Orchestrator,
  statements: readonly Statement[],
  key?: string
): Promise<Answer> {
  const keyed = key === undefined ? {} : { 'idempotency-key': key }
  const headers = { ...keyed, ...bearerOf(orchestrator) }
  return call(`POST ${orchestrator.url}/api/v1/db/write`, { body: { statements }, headers })
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
  orchestrator: Orchestrator,
  sql: string,
  options: ReadOptions = {}
): Promise<ReadAnswer> {
  const body = { sql, consistency: 'strong', ...options }
  const headers = bearerOf(orchestrator)
  return answered(
    await call(`POST ${orchestrator.url}/api/v1/db/read`, { body, headers })
  ) as ReadAnswer
}

function answered({ status, body }: Answer): unknown {
  if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
  return body
}
