/**
 * The application's only way to its data: SQL to the orchestrator over HTTP.
 * Invariants:
 * - A write keeps its request id over all attempts, so it happens once, and the
 *   death and restart of an orchestrator is a slow answer to its caller.
 * - `session` reads see what this client wrote, and what its earlier answers showed.
 */
import { randomUUID } from 'node:crypto'
import { type Call, Caller, type Context, GivenUpError } from './caller.ts'
import {
  type DatabaseErrorBody,
  DatabaseUnavailableError,
  ExpectationError,
  errorOf,
  RequestIdReusedError,
  UnknownOutcomeError
} from './errors.ts'
import type { Answered } from './exchange.ts'
import { type Param, paramsJson } from './params.ts'
import type { Targets } from './targets.ts'

export type { Context }

/** Of one transaction, when others change what it has read. */
const ATTEMPTS_MAX = 10

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

export interface ReadAnswer<R = Row> {
  readonly index: number
  readonly rows: readonly R[]
}

export interface WriteAnswer {
  readonly requestId: string
  readonly index: number
  readonly results: readonly { readonly rowCount: number; readonly rows: readonly Row[] }[]
}

export interface WriteOptions extends Context {
  readonly requestId?: string
  /**
   * What the caller wants, 1 to 200 characters, where a retry may make other statements. The same
   * `requestId` with the same intent gets the first outcome, whatever the statements are.
   */
  readonly intent?: string
}

/**
 * @param read as of the database, `strong` unless told
 * @returns what to write, with `expectRows` where it rests on what was read; nothing, to write nothing
 */
export type Transaction = (read: Database['read']) => Promise<readonly WriteStatement[]>

export interface Database extends AsyncDisposable {
  /** The highest log index that any answer has shown; 0 before the first one. */
  readonly lastIndex: number

  /**
   * @throws InvalidParameterError a parameter has no form in PostgreSQL; nothing was sent
   * @throws DatabaseError what PostgreSQL or the orchestrator refused (a bug, or a result too large)
   * @throws DatabaseUnavailableError the deadline passed
   */
  read<R = Row>(query: ReadQuery, context?: Context): Promise<ReadAnswer<R>>

  /**
   * Runs the statements as one transaction, once, however often it is sent.
   * @param options.requestId unique per write, made up unless told; the same id with the same
   *   statements gets the first answer again
   * @throws InvalidParameterError a parameter has no form in PostgreSQL; nothing was sent
   * @throws ConstraintError, ExpectationError, DatabaseError: final for this id, nothing was written
   * @throws RequestIdReusedError the id was used for other statements
   * @throws DatabaseUnavailableError nothing was written and the deadline passed
   * @throws UnknownOutcomeError the deadline passed while the write may have happened
   */
  write(statements: readonly WriteStatement[], options?: WriteOptions): Promise<WriteAnswer>

  /**
   * Reads, decides, and writes; once more from the start when an `expectRows` shows that what
   * was read is no longer so. Up to 10 times.
   * @param options.requestId of the whole; with it, the same transaction again is done once
   * @returns undefined when `decide` found nothing to write
   * @throws ExpectationError others were faster each time
   * @throws as `write`
   */
  transaction(decide: Transaction, options?: WriteOptions): Promise<WriteAnswer | undefined>

  /** What the write `requestId` answered; undefined when the log does not know it (so far). */
  outcome(requestId: string, context?: Context): Promise<WriteAnswer | undefined>
}

export interface DatabaseOptions {
  /** Orchestrators; closed with the database. */
  readonly targets: Targets
  readonly token?: string | undefined
}

export function openDatabase(options: DatabaseOptions): Database {
  return new HttpDatabase(options)
}

class HttpDatabase implements Database {
  readonly #caller: Caller
  #lastIndex = 0

  constructor({ targets, token }: DatabaseOptions) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.#caller = new Caller({ targets, headers })
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  async read<R = Row>(query: ReadQuery, context: Context = {}): Promise<ReadAnswer<R>> {
    const { sql, consistency = 'session' } = query
    const params = paramsJson(query.params)
    const session = consistency === 'session' ? { minIndex: query.minIndex ?? this.#lastIndex } : {}
    const body = JSON.stringify({ sql, params, consistency, ...session })
    const call = { method: 'POST', path: '/api/v1/db/read', body, streamed: true } as const
    const answer = await this.#call(call, context)
    if (isIndexUnknown(answer) && this.#lastIndex > 0 && query.minIndex === undefined) {
      // The cluster was recovered to an earlier state: what this client saw is no more.
      this.#lastIndex = 0
      return this.read(query, context)
    }
    return this.#seen<ReadAnswer<R>>(answer)
  }

  async write(
    statements: readonly WriteStatement[],
    { requestId = randomUUID(), intent, ...context }: WriteOptions = {}
  ): Promise<WriteAnswer> {
    const command = statements.map(({ params, ...statement }) => ({
      ...statement,
      params: paramsJson(params)
    }))
    const body = JSON.stringify({ statements: command, intent })
    const headers = { 'idempotency-key': requestId }
    const path = '/api/v1/db/write'
    const call: Call = { method: 'POST', path, headers, body, streamed: true }
    const answer = await this.#call(call, context, requestId)
    return this.#seen<WriteAnswer>(answer)
  }

  async transaction(
    decide: Transaction,
    { requestId, ...context }: WriteOptions = {}
  ): Promise<WriteAnswer | undefined> {
    const whole = requestId ?? randomUUID()
    const read: Database['read'] = (query, own) =>
      this.read({ consistency: 'strong', ...query }, { ...context, ...own })
    for (let attempt = 1; ; attempt++) {
      const id = `${whole}.${attempt}`
      // What an earlier call with the same id came to, for it may have decided otherwise.
      const earlier = async () =>
        requestId === undefined ? undefined : await this.outcome(id, context)
      try {
        const statements = await decide(read)
        if (statements.length === 0) return await earlier()
        // The id alone says what is wanted: a retry may decide otherwise.
        const write = { ...context, requestId: id, intent: 'transaction' }
        return await this.write(statements, write).catch(async err => {
          const done = err instanceof RequestIdReusedError ? await earlier() : undefined
          if (done === undefined) throw err
          return done
        })
      } catch (err) {
        if (!(err instanceof ExpectationError) || attempt === ATTEMPTS_MAX) throw err
      }
    }
  }

  async outcome(requestId: string, context: Context = {}): Promise<WriteAnswer | undefined> {
    const path = `/api/v1/db/write/${encodeURIComponent(requestId)}`
    const answer = await this.#call({ method: 'GET', path }, context)
    return answer.status === 404 ? undefined : this.#seen<WriteAnswer>(answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caller[Symbol.asyncDispose]()
  }

  /** @param requestId of a write: when the deadline passes, what became of it may be unknown */
  async #call(call: Call, context: Context, requestId?: string): Promise<Answered> {
    try {
      return await this.#caller.call(call, context)
    } catch (cause) {
      if (!(cause instanceof GivenUpError)) throw cause
      if (cause.uncertain && requestId !== undefined) {
        throw new UnknownOutcomeError(requestId, { cause })
      }
      throw new DatabaseUnavailableError('the database did not answer in time', { cause })
    }
  }

  #seen<A extends { readonly index: number }>({ status, text }: Answered): A {
    const body: unknown = JSON.parse(text)
    if (status !== 200) throw errorOf(status, body as DatabaseErrorBody)
    const answer = body as A
    this.#lastIndex = Math.max(this.#lastIndex, answer.index)
    return answer
  }
}

const isIndexUnknown = ({ status, text }: Answered) =>
  status === 400 && text.includes('"CONVOY_INDEX_UNKNOWN"')
