/**
 * HTTP calls to another part of Convoy that may be repeated, over connections that
 * are kept. What is not an answer to the call itself (a broken connection, 502, 503,
 * 504) is tried again by the rule of retry.ts, first at every other target, until the
 * caller's deadline.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDisabled } from './errors.ts'
import type { Answered, Failed } from './exchange.ts'
import { isFinal, waitMs } from './retry.ts'
import type { Target, Targets } from './targets.ts'

export type { Answered }

/** Most clients of the services wait 10 s. */
export const DEADLINE_MS = 9_000

/** A server that takes a call and then says nothing is given up for the next one. */
const ATTEMPT_MS = 4_000

const NOBODY: Failed = { kind: 'failed', sent: false, cause: new Error('nobody is known') }

export interface Context {
  /** Goes with the call as `x-request-id`, into every log line of its way. */
  readonly traceId?: string
  /** Goes with the call, as W3C Trace Context has it. */
  readonly traceparent?: string | undefined
  /** Of `performance.now()`; 9 s from the call unless told. */
  readonly deadlineAt?: number
}

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body?: string
  /** Goes over the one connection for calls, where the server has one. */
  readonly streamed?: boolean
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
  readonly #targets: Targets
  readonly #headers: Readonly<Record<string, string>>

  /** @param options.headers go with every call */
  constructor(options: { readonly targets: Targets; readonly headers: Record<string, string> }) {
    this.#targets = options.targets
    this.#headers = options.headers
  }

  /** @throws GivenUpError */
  async call(call: Call, context: Context): Promise<Answered> {
    const deadlineAt = context.deadlineAt ?? performance.now() + DEADLINE_MS
    const failed = new Set<Target>()
    let uncertain = false
    for (let rounds = 1; ; ) {
      const target = this.#targets.choose(failed)
      const leftMs = Math.max(1, Math.ceil(deadlineAt - performance.now()))
      const attempt = target
        ? await this.#attempt(call, context, { target, timeoutMs: Math.min(leftMs, ATTEMPT_MS) })
        : NOBODY
      if (attempt.kind === 'answer' && (isFinal(attempt.status) || isDisabled(attempt))) {
        return attempt
      }
      if (target !== undefined) failed.add(target)
      uncertain ||= attempt.kind === 'answer' ? attempt.status !== 503 : attempt.sent
      const others = this.#targets.hasOther(failed)
      const afterMs = waitMs(attempt, { rounds, others })
      if (afterMs >= deadlineAt - performance.now()) throw new GivenUpError(uncertain, attempt)
      if (others) continue
      failed.clear()
      rounds += 1
      await sleep(afterMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#targets[Symbol.asyncDispose]()
  }

  #attempt(
    call: Call,
    { traceId, traceparent }: Context,
    { target, timeoutMs }: { target: Target; timeoutMs: number }
  ): Promise<Answered | Failed> {
    const { method, path, body = null, streamed = false } = call
    const headers: Record<string, string> = { ...call.headers }
    if (traceId !== undefined) headers['x-request-id'] = traceId
    if (traceparent !== undefined) headers['traceparent'] = traceparent
    const sent = { method, path, headers, always: this.#headers, body, streamed }
    return target.call(sent, timeoutMs)
  }
}
