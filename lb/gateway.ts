/**
 * The way of a request through lb: an instance is chosen, the request sent, and after
 * a failure sent again where that is harmless, until a deadline. So the death of an
 * instance, even of the only one, is a slower answer and not an error.
 * Why lb makes up idempotency keys: docs/decisions/lb-idempotency-keys.md.
 */
import { randomUUID } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Counter, Gauge, type Registry } from 'prom-client'
import { OverloadedError } from '../wire/errors.ts'
import {
  BadGatewayError,
  GatewayTimeoutError,
  NoInstanceError,
  RateLimitedError
} from './errors.ts'
import type { Answer } from './exchange.ts'
import { answeredHeaders, forwardedHeaders, IDEMPOTENCY_KEY } from './headers.ts'
import type { Forwarded, Instance } from './instance.ts'
import type { Instances } from './instances.ts'
import { Patience } from './patience.ts'
import { RateLimit } from './rate-limit.ts'
import { afterAttempt, type Failure, reachedIt } from './retry.ts'
import { ROUTES, type ServiceName } from './routes.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const

const ONE_WRITE_BYTES = 16 * 1024

export interface GatewayOptions {
  readonly services: Readonly<Record<ServiceName, Instances>>
  readonly metrics: Registry
  /** For one answer of one instance. */
  readonly attemptMs: number
  /** For all attempts together. */
  readonly deadlineMs: number
  /** Requests a second of one client; 0: as many as it likes. */
  readonly ratePerS: number
  /** Requests under way; beyond that they are refused. */
  readonly underWayMax: number
}

/** A fastify plugin of its own: inside it, bodies are bytes and no concern of lb. */
export const gateway: FastifyPluginAsync<GatewayOptions> = async (app, options) => {
  const failures = new Counter({
    name: 'convoy_lb_failures_total',
    help: 'Attempts without an answer, by service and kind of failure',
    labelNames: ['service', 'failure'],
    registers: [options.metrics]
  })
  let underWay = 0
  new Gauge({
    name: 'convoy_lb_under_way_requests',
    help: 'Requests that lb has taken and not answered yet',
    registers: [options.metrics],
    collect() {
      this.set(underWay)
    }
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  if (options.ratePerS > 0) limitRate(app, options.ratePerS)
  for (const { prefix, service } of ROUTES) {
    const instances = options.services[service]
    const onFailure = (failure: Failure) => failures.inc({ service, failure })
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      if (underWay >= options.underWayMax) throw new OverloadedError('lb is overloaded')
      underWay += 1
      try {
        const patience = new Patience(reply.raw)
        const journey = { instances, request: forwardedOf(request), reply, patience, onFailure }
        const answer = await answerOf(journey, options)
        await send(reply, answer, request.id)
      } finally {
        underWay -= 1
      }
    }
    const schema = { hide: true, operationId: `lb.${service}` }
    app.route({ method: [...METHODS], url: `${prefix}*`, schema, handler })
  }
}

/** Before a body is read. Where no limit is set, this costs nothing. */
function limitRate(app: FastifyInstance, perS: number): void {
  const limit = new RateLimit({ perS })
  app.addHook('onRequest', (request, _reply, done) => {
    const waitMs = limit.take(request.ip, performance.now())
    done(waitMs > 0 ? new RateLimitedError(waitMs) : undefined)
  })
}

function forwardedOf(request: FastifyRequest): Forwarded {
  const { method, headers } = request
  const given = headers[IDEMPOTENCY_KEY] as string | undefined
  const key = given ?? (method === 'GET' || method === 'HEAD' ? undefined : `lb-${randomUUID()}`)
  return {
    method,
    path: request.raw.url ?? '/',
    headers: forwardedHeaders(headers, {
      requestId: request.id,
      key,
      remoteAddress: request.ip,
      protocol: request.protocol
    }),
    body: request.body instanceof Buffer ? request.body : null
  }
}

interface Journey {
  readonly instances: Instances
  readonly request: Forwarded
  readonly reply: FastifyReply
  readonly patience: Patience
  readonly onFailure: (failure: Failure) => void
}

async function answerOf(journey: Journey, limits: GatewayOptions): Promise<Answer> {
  const { instances, request, reply, patience, onFailure } = journey
  const { method, headers } = request
  const deadlineMs = performance.now() + limits.deadlineMs
  let failed: Instance | undefined
  let reached = 0
  for (let failures = 1; ; failures++) {
    const instance =
      instances.choose(failed) ?? (await instances.wait(failed, { deadlineMs, patience }))
    const timeoutMs = Math.min(limits.attemptMs, deadlineMs - performance.now())
    const outcome = await instance.send(request, { timeoutMs, patience })
    if (outcome.kind === 'answer' && !isNotReady(outcome)) return outcome

    const failure = outcome.kind === 'answer' ? 'notReady' : outcome.failure
    onFailure(failure)
    if (reachedIt(failure)) reached += 1
    const leftMs = deadlineMs - performance.now()
    const hasKey = IDEMPOTENCY_KEY in headers
    const hasOther = instances.hasOther(instance)
    const next = afterAttempt({ failure, method, hasKey, failures, reached, leftMs, hasOther })
    reply.log.debug({ origin: instance.origin, failure, failures, next }, 'attempt failed')
    if (next.kind === 'giveUp' || patience.left) {
      if (outcome.kind === 'answer') return outcome
      throw errorOf(failure, instances.service, outcome.err)
    }
    if (next.delayMs > 0) await sleep(next.delayMs)
    failed = instance
  }
}

/** One that has just started, or was just frozen, says so, and has done nothing. */
function isNotReady({ status, body }: Answer): boolean {
  if (status !== 503 || !(body instanceof Buffer)) return false
  return body.includes('"CONVOY_NOT_READY"') || body.includes('"CONVOY_FROZEN"')
}

function errorOf(failure: Failure, service: string, cause: Error): Error {
  if (failure === 'timeout') {
    return new GatewayTimeoutError(`${service} did not answer in time`, { cause })
  }
  if (failure === 'unreached') {
    return new NoInstanceError(`no instance of ${service} can be reached`, { cause })
  }
  return new BadGatewayError(`${service} ended the connection without an answer`, { cause })
}

/** Past fastify: it would look into a body that is none of its business. */
async function send(reply: FastifyReply, answer: Answer, requestId: string): Promise<void> {
  const { status, headers, body } = answer
  const { raw } = reply.hijack()
  raw.writeHead(status, answeredHeaders(headers, requestId))
  // As text, node writes a small body together with the head: one write less on the way.
  if (body instanceof Buffer && body.length < ONE_WRITE_BYTES) {
    raw.end(body.toString('latin1'), 'latin1')
  } else if (body instanceof Buffer) raw.end(body)
  // An answer that breaks off half-way cannot be mended: the client sees it break off too.
  else await pipeline(body, raw).catch(() => raw.destroy())
}
