/**
 * Calls to one server over one connection that stays open: a call costs a line on it, and
 * no request of HTTP's own (docs/decisions/calls-on-one-connection.md).
 * Invariants:
 * - Whatever ends the connection fails what it has not answered, as a connection of its
 *   own would have; the caller sends that again, elsewhere or here.
 * - A connection on which nothing came for the whole time of a call is given up.
 * - A server that does not know such calls, or refuses them, is asked in the ordinary way
 *   from then on, and answers each call there.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import {
  AnswerReader,
  CALL_MAX_BYTES,
  CALLS_PATH,
  CALLS_TYPE,
  encodeCall,
  type NumberedAnswer
} from '../wire/calls.ts'
import type { Answered, Failed } from './exchange.ts'
import { retryAfterS } from './retry.ts'

export interface StreamCall {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body: string
}

type Outcome = Answered | Failed

interface Unanswered {
  readonly settle: (outcome: Outcome) => void
  readonly timer: NodeJS.Timeout
  /** How much had been heard on the connection when it was sent. */
  readonly heard: number
}

/** Such calls are not known there, or not allowed to this token. None was taken. */
const isNotFor = (status: number) => status === 200 || (status >= 400 && status < 500)

export class CallStream {
  readonly #origin: string
  readonly #headers: Readonly<Record<string, string>>
  #known = true
  #connection: Connection | undefined

  /** @param headers of the connection: whoever may open it may call */
  constructor(origin: string, headers: Readonly<Record<string, string>>) {
    this.#origin = origin
    this.#headers = headers
  }

  takes({ body }: StreamCall): boolean {
    return this.#known && body.length < CALL_MAX_BYTES / 4 // at most 4 bytes for a character
  }

  send(call: StreamCall, timeoutMs: number): Promise<Outcome> {
    if (this.#connection === undefined || this.#connection.ended) {
      this.#connection = new Connection(this.#origin, this.#headers, () => {
        this.#known = false
      })
    }
    return this.#connection.send(call, timeoutMs)
  }

  /** What is under way fails. */
  destroy(): void {
    this.#connection?.end(new Error(`${this.#origin} is not called any more`))
  }
}

class Connection {
  ended = false
  readonly #request: ClientRequest
  readonly #unanswered = new Map<number, Unanswered>()
  readonly #unknown: () => void
  #n = 0
  #heard = 0
  /** Lines of this turn of the loop, which go out together. */
  #lines = ''

  constructor(origin: string, headers: Readonly<Record<string, string>>, unknown: () => void) {
    this.#unknown = unknown
    const { request } = origin.startsWith('https:') ? https : http
    this.#request = request(`${origin}${CALLS_PATH}`, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'content-type': CALLS_TYPE }
    })
    this.#request.setNoDelay(true)
    this.#request.flushHeaders()
    this.#request.on('response', response => this.#answers(response))
    this.#request.on('error', err => this.end(err))
    this.#request.on('close', () => this.end(new Error('the connection has ended')))
  }

  send({ path, headers, body }: StreamCall, timeoutMs: number): Promise<Outcome> {
    const { promise, resolve: settle } = Promise.withResolvers<Outcome>()
    const n = this.#n++
    const timer = setTimeout(() => this.#timeOut(n, timeoutMs), timeoutMs)
    this.#unanswered.set(n, { settle, timer, heard: this.#heard })
    if (this.#lines === '') setImmediate(() => this.#flush())
    this.#lines += encodeCall({ n, path, headers, body })
    return promise
  }

  end(cause: Error, sent = (cause as { code?: string }).code !== 'ECONNREFUSED'): void {
    if (this.ended) return
    this.ended = true
    this.#request.destroy()
    for (const n of [...this.#unanswered.keys()]) this.#settle(n, { kind: 'failed', sent, cause })
  }

  #flush(): void {
    const lines = this.#lines
    this.#lines = ''
    if (!this.ended) this.#request.write(lines)
  }

  #answers(response: IncomingMessage): void {
    response.on('error', err => this.end(err))
    const { statusCode, headers } = response
    if (statusCode === 200 && headers['content-type'] === CALLS_TYPE) this.#read(response)
    else this.#refused(response)
    response.on('end', () => this.end(new Error('the server has ended the connection')))
  }

  #read(response: IncomingMessage): void {
    const reader = new AnswerReader()
    response.on('data', (chunk: Buffer) => {
      this.#heard += 1
      try {
        for (const answer of reader.read(chunk)) this.#settle(answer.n, answeredOf(answer))
      } catch (err) {
        this.end(err as Error) // no telling where the next answer begins
      }
    })
  }

  /** No call was taken. What is said of the moment (503) is the answer to each. */
  #refused(response: IncomingMessage): void {
    const { statusCode: status = 500, headers } = response
    if (isNotFor(status)) {
      this.#unknown()
      this.end(new Error('the server takes no calls over one connection'), false)
      return
    }
    const parts: Buffer[] = []
    response.on('data', (chunk: Buffer) => parts.push(chunk))
    response.on('end', () => {
      const text = Buffer.concat(parts).toString()
      const after = retryAfterS(headers['retry-after'])
      for (const n of [...this.#unanswered.keys()]) {
        this.#settle(n, { kind: 'answer', status, headers, text, retryAfterS: after })
      }
    })
  }

  #timeOut(n: number, timeoutMs: number): void {
    const cause = new Error(`no answer within ${timeoutMs} ms`)
    const silent = this.#unanswered.get(n)?.heard === this.#heard
    this.#settle(n, { kind: 'failed', sent: true, cause })
    if (silent) this.end(cause)
  }

  #settle(n: number, outcome: Outcome): void {
    const one = this.#unanswered.get(n)
    if (one === undefined) return // given up before its answer came
    this.#unanswered.delete(n)
    clearTimeout(one.timer)
    one.settle(outcome)
  }
}

const answeredOf = ({ status, retryAfterS, body }: NumberedAnswer): Answered => ({
  kind: 'answer',
  status,
  headers: {},
  text: body.toString(),
  retryAfterS: retryAfterS > 0 ? retryAfterS : undefined
})
