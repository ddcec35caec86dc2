/**
 * Calls of a command to the orchestrators of its system. A call goes to the next one
 * when one cannot be reached or is frozen; whatever goes wrong becomes an error that says
 * what to do.
 * Invariant: what was sent is sent again only where doing it twice is doing it once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch, request } from 'undici'
import type { Where } from './command.ts'
import { graver, isFrozen, mayPass, refusalOf, unanswered, unreachable } from './failures.ts'
import { CommandError } from './outcome.ts'
import { type Target, targetOf } from './target.ts'

const ANSWER_MS = 15_000
const AGAIN_MS = 250
/** Of a call that may be repeated: an election, or a restart, passes in this time. */
const REPEAT_MS = 20_000

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly timeoutMs?: number
  /** Makes a write one that may be sent again. */
  readonly idempotencyKey?: string
  /** Of a POST: it changes nothing. */
  readonly reads?: boolean
  /** Tries again while nothing answers, or the cluster takes nothing. */
  readonly repeat?: boolean
}

export interface StreamOptions {
  readonly signal: AbortSignal
  /** It breaks off when nothing comes for so long. */
  readonly silentMs: number
  readonly answerMs?: number
}

type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  /** `sent`: the other side may have got the call. */
  | { readonly kind: 'silence'; readonly sent: boolean; readonly cause: unknown }

export class Orchestrators {
  /** The one that answered last comes first. */
  #urls: readonly string[]
  readonly #token: string | undefined

  constructor({ urls, token }: Pick<Target, 'urls'> & Partial<Pick<Target, 'token'>>) {
    this.#urls = urls
    this.#token = token
  }

  get url(): string {
    return this.#urls[0] ?? ''
  }

  get authorization(): { readonly authorization?: string } {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
  }

  /** @throws CommandError */
  async call<T>(call: Call): Promise<T> {
    return JSON.parse(await this.text(call)) as T
  }

  /** @throws CommandError */
  async text(call: Call): Promise<string> {
    const untilMs = performance.now() + (call.repeat === true ? REPEAT_MS : 0)
    let failure: CommandError | undefined
    for (;;) {
      const outcome = await this.#ask(call)
      if (typeof outcome === 'string') return outcome
      failure = graver(failure, outcome)
      if (!mayPass(outcome) || performance.now() >= untilMs) throw failure
      await sleep(AGAIN_MS)
    }
  }

  /**
   * A stream of one that answers.
   * @throws CommandError
   */
  async stream(
    path: string,
    { signal, silentMs, answerMs = ANSWER_MS }: StreamOptions
  ): Promise<ReadableStream<Uint8Array>> {
    // One that stands still takes connections all the same, and says nothing.
    const dispatcher = new Agent({ headersTimeout: answerMs, bodyTimeout: silentMs })
    const headers = this.authorization
    const urls = this.#urls
    let cause: unknown
    for (const [at, url] of urls.entries()) {
      try {
        const reply = await fetch(`${url}${path}`, { headers, signal, dispatcher })
        if (reply.status !== 200 || reply.body === null) {
          throw refusalOf(reply.status, await reply.text())
        }
        // Whoever comes again has seen this one end: the next one is asked first then.
        this.#urls = [...urls.slice(at + 1), ...urls.slice(0, at + 1)]
        return reply.body
      } catch (err) {
        if (err instanceof CommandError) throw err
        cause = err
      }
    }
    throw unreachable(urls, cause)
  }

  async #ask(call: Call): Promise<string | CommandError> {
    let failure: CommandError | undefined
    for (const url of this.#urls) {
      const outcome = await exchange(url, call, this.authorization)
      if (outcome.kind === 'answer' && outcome.status < 300) {
        this.#putFirst(url)
        return outcome.text
      }
      const now = this.#failureOf(outcome, { url, call })
      failure = graver(failure, now)
      if (outcome.kind === 'answer' && !isFrozen(now)) {
        this.#putFirst(url)
        return failure
      }
      if (outcome.kind === 'silence' && outcome.sent && !mayBeSentAgain(call)) return failure
    }
    return failure ?? unreachable(this.#urls, new Error('none is known'))
  }

  #failureOf(outcome: Outcome, { url, call }: { url: string; call: Call }): CommandError {
    if (outcome.kind === 'answer') return refusalOf(outcome.status, outcome.text)
    const { sent, cause } = outcome
    return sent && !onlyReads(call) ? unanswered(url, cause) : unreachable(this.#urls, cause)
  }

  #putFirst(url: string): void {
    this.#urls = [url, ...this.#urls.filter(one => one !== url)]
  }
}

export const orchestratorsOf = (args: Where) => new Orchestrators(targetOf(args))

const onlyReads = ({ method, reads = false }: Call): boolean => method === 'GET' || reads

const mayBeSentAgain = (call: Call): boolean =>
  onlyReads(call) || call.method === 'PUT' || call.idempotencyKey !== undefined

/** What connecting failed with, be it the name, the port or the certificate: nothing was sent then. */
const unconnected = new WeakSet<Error>()
const agent = new Agent()
agent.on('connectionError', (_origin, _targets, err) => unconnected.add(err))

async function exchange(
  url: string,
  { method, path, body, timeoutMs = ANSWER_MS, idempotencyKey }: Call,
  authorization: { readonly authorization?: string }
): Promise<Outcome> {
  try {
    const { statusCode, body: stream } = await request(`${url}${path}`, {
      method,
      headers: {
        ...authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey })
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      dispatcher: agent
    })
    return { kind: 'answer', status: statusCode, text: await stream.text() }
  } catch (cause) {
    return { kind: 'silence', sent: !unconnected.has(cause as Error), cause }
  }
}
