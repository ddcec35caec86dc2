/**
 * The calls of one service on one connection, and their answers.
 * Invariants:
 * - Bounded: while the caller does not take its answers, no more calls are taken. What is
 *   taken is bounded by the lanes, which refuse beyond their limits.
 * - On closing no more are taken; what was taken is answered, then the answer ends. A
 *   call without an answer is the caller's to send again, as with a broken connection.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { refusalOf, validationError } from '../../platform/http/replies.ts'
import { requestIdOf } from '../../platform/http/request-id.ts'
import type { Answered } from '../../platform/http/times.ts'
import type { Logger } from '../../platform/log.ts'
import { clientOf, ownerOf } from '../../platform/security/client-key.ts'
import type { Tracing } from '../../platform/tracing/otlp.ts'
import { TRACEPARENT } from '../../platform/tracing/traceparent.ts'
import { KIND } from '../../platform/tracing/tracer.ts'
import {
  CALLS_TYPE,
  CallReader,
  encodeAnswer,
  type NumberedAnswer,
  type NumberedCall
} from '../../wire/calls.ts'
import { InvalidRequestError, NotFoundError } from '../../wire/errors.ts'
import { keepExact } from '../../wire/exact-params.ts'
import type { Answer } from '../lanes/pending-writes.ts'
import type { Way } from './way.ts'

/** What is done with the calls of one path. */
export interface Kind {
  readonly body: TSchema
  /** @param body checked against `body` */
  readonly answer: (body: never, way: Way) => Promise<Answer>
}

export interface Answering {
  readonly kinds: ReadonlyMap<string, Kind>
  /** Told of each call that was answered. */
  readonly answered: (answered: Answered) => void
  readonly tracing: Tracing
  readonly log: Logger
}

export class Conversation {
  readonly #request: FastifyRequest
  readonly #response: ServerResponse
  readonly #client: string
  readonly #owner: string | undefined
  readonly #answering: Answering
  readonly #calls = new CallReader(keepExact)
  #underWay = 0
  #closing = false
  /** Parts of the answers that are ready: those of one turn of the loop go out together. */
  #ready: Buffer[] = []

  constructor(request: FastifyRequest, response: ServerResponse, answering: Answering) {
    this.#request = request
    this.#response = response
    this.#client = clientOf(request)
    this.#owner = ownerOf(request)
    this.#answering = answering
    response.writeHead(200, { 'content-type': CALLS_TYPE, connection: 'close' })
    response.flushHeaders()
    response.on('drain', () => request.raw.resume())
    response.on('error', () => response.destroy())
    request.raw.on('data', (chunk: Buffer) => this.#take(chunk))
    request.raw.on('end', () => void this.close())
    request.raw.on('error', () => response.destroy())
  }

  /** Resolves when what was taken is answered. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#response.closed) return
    this.#response.on('close', resolve)
    this.#closing = true
    this.#send()
    await promise
  }

  #take(chunk: Buffer): void {
    if (this.#closing) return
    try {
      for (const call of this.#calls.read(chunk)) void this.#answer(call)
    } catch (err) {
      this.#request.log.warn({ err }, 'a connection for calls brought something else')
      this.#response.destroy() // no telling where the next call begins
    }
  }

  async #answer(call: NumberedCall): Promise<void> {
    const beganAtMs = performance.now()
    const requestId = requestIdOf(call.headers)
    const { kinds, answered, tracing } = this.#answering
    const route = kinds.has(call.path) ? call.path : 'unknown'
    const parent = call.headers[TRACEPARENT]
    const span = tracing?.start({ name: `CALL ${route}`, kind: KIND.server, parent })
    const headers = span ? { ...call.headers, [TRACEPARENT]: span.traceparent } : call.headers
    this.#underWay += 1
    const answer = await this.#outcome(call, {
      ...{ headers, requestId, client: this.#client, owner: this.#owner }
    }).catch(err => this.#refused(err, requestId))
    this.#underWay -= 1
    if (this.#ready.length === 0) setImmediate(() => this.#send())
    this.#ready.push(...encodeAnswer({ n: call.n, ...answer }))
    const { status } = answer
    const ms = performance.now() - beganAtMs
    answered({ method: 'POST', route, status, ms })
    span?.end({
      failed: status >= 500,
      attributes: { 'http.response.status_code': status, 'convoy.request_id': requestId }
    })
    if (this.#answering.log.isLevelEnabled('debug')) {
      this.#answering.log.debug({ requestId, route, status, ms }, 'call answered')
    }
  }

  async #outcome({ path, body }: NumberedCall, way: Way): Promise<Omit<NumberedAnswer, 'n'>> {
    const kind = this.#answering.kinds.get(path)
    if (kind === undefined) throw new NotFoundError()
    const check = this.#request.compileValidationSchema(kind.body) // compiled once
    if (!check(body)) {
      throw new InvalidRequestError(validationError(check.errors ?? [], 'body').message)
    }
    const answer = await kind.answer(body as never, way)
    return { ...answer, retryAfterS: answer.status === 503 ? 1 : 0 }
  }

  #refused(err: Error, requestId: string): Omit<NumberedAnswer, 'n'> {
    const log = this.#answering.log.child({ requestId })
    const { status, retryAfterS = 0, body } = refusalOf(err, log)
    return { status, retryAfterS, body: Buffer.from(JSON.stringify(body)) }
  }

  #send(): void {
    const ready = this.#ready
    this.#ready = []
    const response = this.#response
    if (response.destroyed) return
    if (ready.length > 0 && !response.write(Buffer.concat(ready))) this.#request.raw.pause()
    if (this.#closing && this.#underWay === 0) response.end()
  }
}
