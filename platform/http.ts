/**
 * The HTTP server that every service starts from: error bodies, health, metrics,
 * OpenAPI with a page to try it, and a request id that goes with the request.
 * The only place where an error becomes a status.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify'
import { collectDefaultMetrics, type Registry } from 'prom-client'
import Type from 'typebox'
import { ServiceError } from './errors.ts'
import type { Logger } from './log.ts'

/** The one error body of every service. Routes refer to it and never restate it. */
export const ErrorReply = Type.Object(
  { code: Type.String(), message: Type.String() },
  { additionalProperties: true }
)

export interface HttpOptions {
  readonly service: string
  readonly title: string
  readonly log: Logger
  readonly metrics: Registry
  readonly bodyLimit: number
  /** What is missing before the service can do its work; ready when empty. */
  readonly missing: () => readonly string[]
}

/** A fastify instance ready for routes; the caller registers them and listens. */
export async function openHttp(options: HttpOptions) {
  const app = Fastify({
    loggerInstance: options.log,
    disableRequestLogging: true,
    bodyLimit: options.bodyLimit,
    requestIdHeader: 'x-request-id',
    requestIdLogLabel: 'requestId',
    forceCloseConnections: 'idle',
    frameworkErrors: replyWithError,
    // A username of 1,000 characters is up to 12,000 bytes in a path.
    routerOptions: { maxParamLength: 16_384 },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler(replyWithError)
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ code: 'CONVOY_NOT_FOUND', message: 'no such path' })
  )
  collectDefaultMetrics({ register: options.metrics })
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: options.title, version: '1' } }
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get('/livez', { schema: { tags: ['health'] } }, () => ({ status: 'alive' }))
  app.get('/readyz', { schema: { tags: ['health'] } }, (_request, reply) => {
    const missing = options.missing()
    return reply
      .code(missing.length === 0 ? 200 : 503)
      .send({ ready: missing.length === 0, missing })
  })
  app.get('/metrics', { schema: { tags: ['health'] } }, async (_request, reply) =>
    reply.type(options.metrics.contentType).send(await options.metrics.metrics())
  )
  return app
}

export type Http = Awaited<ReturnType<typeof openHttp>>

/** An unknown error is logged and told to nobody. */
function replyWithError(
  error: FastifyError | ServiceError,
  request: FastifyRequest,
  reply: FastifyReply
) {
  if (error instanceof ServiceError) {
    request.log.debug({ code: error.code }, 'request refused')
    if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS)
    const body = { code: error.code, message: error.message, ...error.details }
    return reply.code(error.statusCode).send(body)
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    const code = error.statusCode === 413 ? 'CONVOY_BODY_TOO_LARGE' : 'CONVOY_INVALID_REQUEST'
    return reply.code(error.statusCode).send({ code, message: error.message })
  }
  request.log.error({ err: error }, 'unexpected error')
  return reply.code(500).send({ code: 'CONVOY_INTERNAL', message: 'internal error' })
}
