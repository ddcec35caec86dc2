/**
 * An ordinary client. It waits 10 s for each request, in all; where it is refused, the
 * connection breaks, or the answer is 502, 503 or 504, it sends the request again after
 * a moment (or as long as the answer tells), with the same Idempotency-Key, to the next
 * address that it knows. Any other error, or no answer by then, is what it has to live with.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dispatcher, request } from 'undici'
import type { Attempt } from '../../../testing/clients/outcomes.ts'

export const PATIENCE_MS = 10_000
const AGAIN_MS = 100
const ASK_AGAIN = [0, 502, 503, 504]

export interface ClientOptions {
  /** Addresses that serve the same. */
  readonly origins: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly dispatcher: Dispatcher
}

export interface Ask {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
  /** Of a write. */
  readonly key?: string
}

interface Answered extends Attempt {
  /** After which it is to be sent again. */
  readonly retryAfterMs: number
}

export class Client {
  readonly #options: ClientOptions
  #next = 0

  constructor(options: ClientOptions) {
    this.#options = options
  }

  /** @returns what came of each sending, the last one first decided */
  async ask(asked: Ask): Promise<[Attempt, ...Attempt[]]> {
    const untilMs = performance.now() + PATIENCE_MS
    const attempts: Attempt[] = []
    for (;;) {
      const attempt = await this.#send(asked, untilMs - performance.now())
      attempts.push(attempt)
      const isOpen = ASK_AGAIN.includes(attempt.status)
      if (!isOpen || performance.now() + attempt.retryAfterMs >= untilMs) {
        return attempts as [Attempt, ...Attempt[]]
      }
      this.#next += 1
      await sleep(attempt.retryAfterMs)
    }
  }

  async #send({ method, path, body, key }: Ask, leftMs: number): Promise<Answered> {
    const { origins, headers, dispatcher } = this.#options
    const origin = origins[this.#next % origins.length] ?? ''
    try {
      const reply = await request(`${origin}${path}`, {
        ...{ method, dispatcher, signal: AbortSignal.timeout(Math.max(1, Math.ceil(leftMs))) },
        headers: {
          ...headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'idempotency-key': key })
        },
        body: body === undefined ? null : JSON.stringify(body)
      })
      const text = await reply.body.text()
      const answer = (text === '' ? {} : JSON.parse(text)) as { code?: string }
      const retryAfterMs = Math.max(AGAIN_MS, 1_000 * Number(reply.headers['retry-after'] ?? 0))
      return { status: reply.statusCode, code: answer.code ?? '', body: answer, retryAfterMs }
    } catch (err) {
      const { code, name } = err as NodeJS.ErrnoException
      const told = typeof code === 'string' ? code : name
      return { status: 0, code: told, body: undefined, retryAfterMs: AGAIN_MS }
    }
  }
}
