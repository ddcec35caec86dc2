/**
 * The application's only way to its data: SQL to the orchestrator over HTTP.
 * Invariants:
 * - A write keeps its request id over all attempts, so it happens once, and the
 *   death and restart of an orchestrator is a slow answer to its caller.
 * - `session` reads see what this client wrote, and what its earlier answers showed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Param } from '../wire/requests.ts'
import {
  type DatabaseErrorBody,
  DatabaseUnavailableError,
  errorOf,
  UnknownOutcomeError
} from './errors.ts'
import { decide, retryAfterS } from './retry.ts'

/** Most clients of the services wait 10 s. */
const DEADLINE_MS = 9_000

/** An orchestrator that takes a request and then says nothing is given up for the next one. */
const ATTEMPT_MS = 4_000

const CONNECTIONS_MAX = 64

/** Columns by name. 64-bit integers and numerics are strings. */
export type Row = Readonly<Record<string, unknown>>

export interface ReadQuery {
  readonly sql: string
  readonly params?: readonly Param[]
  /** `session` unless told: any replica, once it has applied what this client has seen. */
  readonly consistency?: 'replica' | 'session' | 'strong'
  /** With `session`: an index that the answer must include; the client's own otherwise. */
  readonly minIndex?: number
}

export interface WriteStatement {
  readonly sql: string
  readonly params?: readonly Param[]
  /** Another number of rows rolls the whole write back. */
  readonly expectRows?: number
}

export interface Context {
  /** Goes with the request as `x-request-id`, into every log line of its way. */
  readonly traceId?: string
  /** Of `performance.now()`; 9 s from the call unless told. */
  readonly deadlineAt?: number
}

export interface ReadAnswer<R = Row> {
  readonly index: number
  readonly rows: readonly R[]
}

export interface WriteAnswer {
  readonly requestId: string
  readonly index: number
  readonly results: readonly { readonly rowCount: number; readonly rows: readonly Row[] }[]
}

export interface Database extends AsyncDisposable {
  /** The highest log index that any answer has shown; 0 before the first one. */
  readonly lastIndex: number

  /**
   * @throws DatabaseError what PostgreSQL or the orchestrator refused (a bug, or a result too large)
   * @throws DatabaseUnavailableError the deadline passed
   */
  read<R = Row>(query: ReadQuery, context?: Context): Promise<ReadAnswer<R>>

  /**
   * Runs the statements as one transaction, once, however often it is sent.
   * @param requestId unique per write; the same id with the same statements gets the first answer again
   * @throws ConstraintError, ExpectationError, DatabaseError: final for this id, nothing was written
   * @throws RequestIdReusedError the id was used for other statements
   * @throws DatabaseUnavailableError nothing was written and the deadline passed
   * @throws UnknownOutcomeError the deadline passed while the write may have happened
   */
  write(
    statements: readonly WriteStatement[],
    options: Context & { readonly requestId: string }
  ): Promise<WriteAnswer>

  /** What the write `requestId` answered; undefined when the log does not know it (so far). */
  outcome(requestId: string, context?: Context): Promise<WriteAnswer | undefined>

  /** Whether the last attempt got an answer at all; false before the first one. */
  readonly reachable: boolean
}

export interface DatabaseOptions {
  /** Addresses of orchestrators, comma separated, tried in turn. */
  readonly urls: string
  readonly token?: string | undefined
}

export function openDatabase(options: DatabaseOptions): Database {
  return new HttpDatabase(options)
}

interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  readonly requestId?: string
}

class HttpDatabase implements Database {
  readonly #pools: readonly Pool[]
  readonly #authorization: Readonly<Record<string, string>>
  #preferred = 0
  #lastIndex = 0
  #reachable = false

  constructor({ urls, token }: DatabaseOptions) {
    this.#pools = urls.split(',').map(url => new Pool(url.trim(), { connections: CONNECTIONS_MAX }))
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  get reachable(): boolean {
    return this.#reachable
  }

  async read<R = Row>(query: ReadQuery, context: Context = {}): Promise<ReadAnswer<R>> {
    const { sql, params = [], consistency = 'session' } = query
    const session = consistency === 'session' ? { minIndex: query.minIndex ?? this.#lastIndex } : {}
    const body = JSON.stringify({ sql, params, consistency, ...session })
    const answer = await this.#call({ method: 'POST', path: '/api/v1/db/read', body }, context)
    if (isIndexUnknown(answer) && query.minIndex === undefined) {
      // The cluster was recovered to an earlier state: what this client saw is no more.
      this.#lastIndex = 0
      return this.read(query, context)
    }
    return this.#seen<ReadAnswer<R>>(answer)
  }

  async write(
    statements: readonly WriteStatement[],
    { requestId, ...context }: Context & { readonly requestId: string }
  ): Promise<WriteAnswer> {
    const command = statements.map(({ params = [], ...statement }) => ({ ...statement, params }))
    const body = JSON.stringify({ statements: command })
    const call: Call = { method: 'POST', path: '/api/v1/db/write', body, requestId }
    return this.#seen<WriteAnswer>(await this.#call(call, context))
  }

  async outcome(requestId: string, context: Context = {}): Promise<WriteAnswer | undefined> {
    const path = `/api/v1/db/write/${encodeURIComponent(requestId)}`
    const answer = await this.#call({ method: 'GET', path }, context)
    return answer.status === 404 ? undefined : this.#seen<WriteAnswer>(answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pools.map(pool => pool.close()))
  }

  #seen<A extends { readonly index: number }>({ status, text }: Answered): A {
    const body: unknown = JSON.parse(text)
    if (status !== 200) throw errorOf(status, body as DatabaseErrorBody)
    const answer = body as A
    this.#lastIndex = Math.max(this.#lastIndex, answer.index)
    return answer
  }

  /** Repeats `call` by the rule of retry.ts until an answer to it comes. */
  async #call(call: Call, context: Context): Promise<Answered> {
    const deadlineAt = context.deadlineAt ?? performance.now() + DEADLINE_MS
    // A write that was refused or never sent did not happen; of any other nobody knows.
    let uncertain = false
    for (let made = 1; ; made++) {
      const leftMs = Math.max(1, deadlineAt - performance.now())
      const attempt = await this.#attempt(call, context, Math.min(leftMs, ATTEMPT_MS))
      this.#reachable = attempt.kind === 'answer'
      const decision = decide(attempt, { made, leftMs: deadlineAt - performance.now() })
      if (attempt.kind === 'answer' && decision.kind === 'final') return attempt
      uncertain ||= attempt.kind === 'answer' ? attempt.status === 504 : attempt.sent
      if (decision.kind === 'give up') throw givenUp(call, uncertain, attempt)
      this.#preferred = (this.#preferred + 1) % this.#pools.length
      if (decision.kind === 'again') await sleep(decision.afterMs)
    }
  }

  async #attempt(call: Call, context: Context, timeoutMs: number): Promise<Answered | Failed> {
    const pool = this.#pools[this.#preferred] as Pool
    const headers: Record<string, string> = { ...this.#authorization }
    if (call.body !== undefined) headers['content-type'] = 'application/json'
    if (call.requestId !== undefined) headers['idempotency-key'] = call.requestId
    if (context.traceId !== undefined) headers['x-request-id'] = context.traceId
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      const { method, path, body = null } = call
      const response = await pool.request({ method, path, headers, body, signal })
      const { statusCode: status } = response
      const text = await response.body.text()
      const wait = retryAfterS(response.headers['retry-after'])
      return { kind: 'answer', status, text, retryAfterS: wait }
    } catch (cause) {
      const refused = (cause as { code?: string }).code === 'ECONNREFUSED'
      return { kind: 'failed', sent: !refused, cause }
    }
  }
}

interface Answered {
  readonly kind: 'answer'
  readonly status: number
  readonly text: string
  readonly retryAfterS: number | undefined
}

interface Failed {
  readonly kind: 'failed'
  readonly sent: boolean
  readonly cause: unknown
}

function givenUp(call: Call, uncertain: boolean, last: Answered | Failed): Error {
  const cause = last.kind === 'failed' ? { cause: last.cause } : {}
  return uncertain && call.requestId !== undefined
    ? new UnknownOutcomeError(call.requestId, cause)
    : new DatabaseUnavailableError('the database did not answer in time', cause)
}

const isIndexUnknown = ({ status, text }: Answered) =>
  status === 400 && text.includes('"CONVOY_INDEX_UNKNOWN"')
