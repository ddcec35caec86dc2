/**
 * Sends statements: what only reads to `db/read` at the session's consistency, all else
 * to `db/write`, once, however often it has to be sent.
 * Invariant: with consistency `session`, a read sees what this session wrote and saw before.
 */
import { randomUUID } from 'node:crypto'
import type { Orchestrators } from '../orchestrator.ts'
import { CommandError, EXIT } from '../outcome.ts'
import { pointed, type Statement } from './statements.ts'

export const CONSISTENCIES = ['replica', 'session', 'strong'] as const
export type Consistency = (typeof CONSISTENCIES)[number]

export type Row = Readonly<Record<string, unknown>>

export interface ReadResult {
  readonly kind: 'read'
  readonly index: number
  readonly workerId: string
  readonly fields: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly Row[]
  readonly ms: number
}

export interface WriteResult {
  readonly kind: 'write'
  readonly requestId: string
  readonly index: number
  readonly term: number
  readonly results: readonly { readonly rowCount: number; readonly rows: readonly Row[] }[]
  readonly ms: number
}

export type Result = ReadResult | WriteResult

export class SqlSession {
  readonly #orchestrators: Orchestrators
  consistency: Consistency
  #lastIndex = 0

  constructor(orchestrators: Orchestrators, consistency: Consistency) {
    this.#orchestrators = orchestrators
    this.consistency = consistency
  }

  run(statement: Statement): Promise<Result> {
    return statement.onlyReads ? this.read(statement.sql) : this.write([statement])
  }

  /** @throws CommandError */
  async read(sql: string, params: readonly unknown[] = []): Promise<ReadResult> {
    const { consistency } = this
    const session = consistency === 'session' ? { minIndex: this.#lastIndex } : {}
    const body = { sql, params, consistency, ...session }
    const path = '/api/v1/db/read'
    const call = { method: 'POST', path, body, reads: true, repeat: true } as const
    return this.#timed('read', () => this.#orchestrators.call<ReadResult>(call), [sql])
  }

  /** As one transaction. @throws CommandError */
  async write(statements: readonly Pick<Statement, 'sql'>[]): Promise<WriteResult> {
    const requestId = randomUUID()
    const call = {
      method: 'POST',
      path: '/api/v1/db/write',
      body: { statements: statements.map(({ sql }) => ({ sql })) },
      idempotencyKey: requestId,
      repeat: true
    } as const
    const texts = statements.map(({ sql }) => sql)
    try {
      return await this.#timed('write', () => this.#orchestrators.call<WriteResult>(call), texts)
    } catch (err) {
      throw err instanceof CommandError ? settled(err, requestId) : err
    }
  }

  async #timed<R extends Result>(
    kind: R['kind'],
    ask: () => Promise<R>,
    texts: readonly string[]
  ): Promise<R> {
    const startedAtMs = performance.now()
    try {
      const answer = await ask()
      this.#lastIndex = Math.max(this.#lastIndex, answer.index)
      return { ...answer, kind, ms: performance.now() - startedAtMs }
    } catch (err) {
      throw err instanceof CommandError ? placed(err, texts) : err
    }
  }
}

/** With the place in the statement that the database names. */
function placed(err: CommandError, texts: readonly string[]): CommandError {
  const { position, statement = 0, hint } = err.details
  const sql = texts[Number(statement)]
  const lines = [
    typeof position === 'number' && sql !== undefined
      ? pointed(sql, { at: position - 1, message: err.message })
      : err.message,
    ...(typeof hint === 'string' ? [`hint: ${hint}`] : [])
  ]
  return err.saying(lines.join('\n'), err.next)
}

/** Nobody has said what became of it. */
function settled(err: CommandError, requestId: string): CommandError {
  if (err.exitCode !== EXIT.unknownOutcome) return err
  return err.saying(
    err.message,
    `it may be done or not: GET /api/v1/db/write/${requestId} tells, for ten minutes`
  )
}
