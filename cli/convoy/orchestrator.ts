/**
 * Calls of a command to the orchestrators of its system. A call goes to the next one
 * when one cannot be reached; whatever goes wrong becomes an error that says what to do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Where } from './command.ts'
import { CommandError, EXIT, type ExitCode } from './outcome.ts'
import { targetOf } from './target.ts'

const ANSWER_MS = 15_000
const AGAIN_MS = 250
/** Of a call that may be repeated: an election, or a restart, passes in this time. */
const REPEAT_MS = 20_000

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly timeoutMs?: number
  /** Makes a write one that may be sent again. */
  readonly idempotencyKey?: string
  /** Tries again while nothing answers, or the cluster takes nothing. */
  readonly repeat?: boolean
}

interface ErrorBody extends Readonly<Record<string, unknown>> {
  readonly code?: string
  readonly message?: string
}

interface Answer {
  readonly status: number
  readonly text: string
}

export class Orchestrators {
  /** The one that answered last comes first. */
  #urls: readonly string[]
  readonly #token: string | undefined

  constructor({
    urls,
    token
  }: { readonly urls: readonly string[]; readonly token?: string | undefined }) {
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
    for (;;) {
      const outcome = await this.#ask(call)
      if (typeof outcome === 'string') return outcome
      const passes = outcome.exitCode !== EXIT.failed || outcome.code === 'CONVOY_OVERLOADED'
      const again = passes && outcome.exitCode !== EXIT.notAllowed && performance.now() < untilMs
      if (!again) throw outcome
      await sleep(AGAIN_MS)
    }
  }

  /**
   * A stream of one that answers.
   * @throws CommandError
   */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    let cause: unknown
    for (const url of this.#urls) {
      try {
        const reply = await fetch(`${url}${path}`, { headers: this.authorization, signal })
        if (reply.status === 200 && reply.body !== null) return reply.body
        throw refusalOf(reply.status, await reply.text())
      } catch (err) {
        if (err instanceof CommandError) throw err
        cause = err instanceof Error && err.cause instanceof Error ? err.cause : err
      }
    }
    throw unreachable(this.#urls, cause)
  }

  async #ask(call: Call): Promise<string | CommandError> {
    let cause: unknown
    for (const url of this.#urls) {
      try {
        const { status, text } = await exchange(url, call, this.authorization)
        this.#urls = [url, ...this.#urls.filter(one => one !== url)]
        return status < 300 ? text : refusalOf(status, text)
      } catch (err) {
        cause = err
      }
    }
    return unreachable(this.#urls, cause)
  }
}

export const orchestratorsOf = (args: Where) => new Orchestrators(targetOf(args))

async function exchange(
  url: string,
  { method, path, body, timeoutMs = ANSWER_MS, idempotencyKey }: Call,
  authorization: { readonly authorization?: string }
): Promise<Answer> {
  const { statusCode, body: stream } = await request(`${url}${path}`, {
    method,
    headers: {
      ...authorization,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey })
    },
    body: body === undefined ? null : JSON.stringify(body),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs
  })
  return { status: statusCode, text: await stream.text() }
}

/** @param cause why the last one did not answer */
export function unreachable(urls: readonly string[], cause: unknown): CommandError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new CommandError(`no orchestrator answers at ${urls.join(', ')}: ${code ?? message}`, {
    exitCode: EXIT.unreachable,
    next: 'start the system with `convoy up`, or name a running orchestrator with --url',
    cause
  })
}

const NEXT: Readonly<Record<string, string>> = {
  CONVOY_NO_SUCH_WORKER: '`convoy workers` shows which there are; an election may be under way',
  CONVOY_NO_SUCCESSOR:
    '`convoy status` shows what the replicas lack; try again when one is in sync',
  CONVOY_SETTINGS_NOT_STORED: 'send it again; `convoy logs zookeeper` if that does not help',
  CONVOY_OVERLOADED: 'try again; `convoy status` shows what is missing',
  CONVOY_NOT_FOUND: 'this orchestrator does not know the call: is it an older version?'
}

export function refusalOf(status: number, text: string): CommandError {
  const { code = `HTTP ${status}`, message = text.slice(0, 500), ...details } = bodyOf(text)
  return new CommandError(`${message} (${code})`, {
    exitCode: exitCodeOf(status),
    next: nextFor(status, code),
    code,
    details
  })
}

function nextFor(status: number, code: string): string | undefined {
  if (status === 401)
    return 'set CONVOY_TOKEN, or name a file that holds the token with --token-file'
  if (status === 403) return 'use a token with more rights'
  if (status === 504) return '`convoy status` shows whether there is a master; then try again'
  return NEXT[code]
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.notAllowed
  return status === 504 ? EXIT.unknownOutcome : EXIT.failed
}

function bodyOf(text: string): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody
  } catch {
    return {}
  }
}
