/**
 * HTTP calls to another part of Convoy that may be repeated, over connections that
 * are kept. What is not an answer to the call itself (a broken connection, 502, 503,
 * 504) is tried again by the rule of retry.ts, at the next address if there are
 * several, until the caller's deadline.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { type Answered, Exchange, type Failed } from './exchange.ts'
import { decide } from './retry.ts'

export type { Answered }

/** Most clients of the services wait 10 s. */
export const DEADLINE_MS = 9_000

/** A server that takes a call and then says nothing is given up for the next one. */
const ATTEMPT_MS = 4_000

const POOL: Pool.Options = {
  connections: 64,
  // Each exchange has a timer of its own, which counts the wait for a connection too.
  headersTimeout: 0,
  bodyTimeout: 0
}

export interface Context {
  /** Goes with the call as `x-request-id`, into every log line of its way. */
  readonly traceId?: string
  /** Of `performance.now()`; 9 s from the call unless told. */
  readonly deadlineAt?: number
}

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The deadline passed without an answer. */
export class GivenUpError extends Error {
  override readonly name = 'GivenUpError'
  /** Whether some attempt may have been carried out. */
  readonly uncertain: boolean

  constructor(uncertain: boolean, last: Answered | Failed) {
    super('no answer before the deadline', last.kind === 'failed' ? { cause: last.cause } : {})
    this.uncertain = uncertain
  }
}

export class Caller implements AsyncDisposable {
  readonly #pools: readonly Pool[]
  readonly #headers: Readonly<Record<string, string>>
  #preferred = 0

  /** @param options.urls addresses, comma separated; `headers` go with every call */
  constructor(options: { readonly urls: string; readonly headers: Record<string, string> }) {
    const { urls, headers } = options
    this.#pools = urls.split(',').map(url => new Pool(url.trim(), POOL))
    this.#headers = headers
  }

  /** @throws GivenUpError */
  async call(call: Call, context: Context): Promise<Answered> {
    const deadlineAt = context.deadlineAt ?? performance.now() + DEADLINE_MS
    let uncertain = false
    for (let made = 1; ; made++) {
      const leftMs = Math.max(1, Math.ceil(deadlineAt - performance.now()))
      const attemptMs = Math.min(leftMs, ATTEMPT_MS)
      const attempt = await this.#attempt(call, context, attemptMs)
      const decision = decide(attempt, { made, leftMs: deadlineAt - performance.now() })
      if (attempt.kind === 'answer' && decision.kind === 'final') return attempt
      uncertain ||= attempt.kind === 'answer' ? attempt.status !== 503 : attempt.sent
      if (decision.kind !== 'again') throw new GivenUpError(uncertain, attempt)
      this.#preferred = (this.#preferred + 1) % this.#pools.length
      await sleep(decision.afterMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pools.map(pool => pool.close()))
  }

  #attempt(call: Call, context: Context, timeoutMs: number): Promise<Answered | Failed> {
    const pool = this.#pools[this.#preferred] as Pool
    const { method, path, body = null } = call
    const headers: Record<string, string> = { ...this.#headers, ...call.headers }
    if (body !== null) headers['content-type'] = 'application/json'
    if (context.traceId !== undefined) headers['x-request-id'] = context.traceId
    const exchange = new Exchange(timeoutMs)
    pool.dispatch({ method, path, headers, body }, exchange)
    return exchange.outcome
  }
}
