/**
 * The HTTP server that every service starts from: error bodies, health, metrics,
 * OpenAPI with a page to try it, and a request id that goes with the request.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { onRequestHookHandler } from 'fastify'
import type { Registry } from 'prom-client'
import { MethodNotAllowedError, NotFoundError } from '../wire/errors.ts'
import { type Gate, guard } from './controls/gate.ts'
import { answerEdges, refusalOf } from './http/edges.ts'
import { type Http, type InstanceOptions, openInstance } from './http/instance.ts'
import { KnownPaths } from './http/paths.ts'
import { replyWithError } from './http/replies.ts'
import { REQUEST_ID } from './http/request-id.ts'
import { logRequests } from './http/request-log.ts'
import { observeTimes } from './http/times.ts'
import { follow, type Logger } from './log.ts'
import { collectProcessMetrics } from './process-metrics.ts'
import { added, bearerScheme, guardRoutes } from './security/access.ts'
import {
  CrossSiteError,
  isCrossSite,
  isForeignName,
  isLoopback,
  UnknownHostError
} from './security/browsers.ts'
import { DOCS_POLICY } from './security/headers.ts'
import type { Tokens } from './security/tokens.ts'
import type { Tracing } from './tracing/otlp.ts'
import { traceRequests } from './tracing/requests.ts'

/** Path and headers of a request; slower clients are answered 408. */
const HEAD_WITHIN_MS = 15_000

export { ErrorReply } from './http/replies.ts'

/** What is missing, with a code that stays the same. */
export interface Lack {
  readonly code: string
  readonly message: string
}

export interface HttpOptions extends InstanceOptions {
  readonly service: string
  readonly title: string
  readonly metrics: Registry
  /** None: no spans are made. */
  readonly tracing?: Tracing
  /** Of a server whose routes are not for everybody: each says who may call it. */
  readonly tokens?: Tokens
  /** Names beside localhost and addresses under which clients may call it on loopback. */
  readonly ownNames?: ReadonlySet<string>
  /** What is missing before the service can do its work; ready when empty. */
  readonly missing: () => readonly (string | Lack)[]
  /** Refuses operations that an operator has switched off. */
  readonly gate?: Gate
}

/** A fastify instance ready for routes; the caller registers them and listens. */
export async function openHttp(options: HttpOptions) {
  const app = openInstance(options)
  app.server.headersTimeout = HEAD_WITHIN_MS
  answerEdges(app.server)
  app.setErrorHandler(replyWithError)
  app.removeContentTypeParser('text/plain') // 415, as any other that is not JSON
  refuseUnknown(app)
  follow(options.log, app.log as Logger)
  if (options.tokens !== undefined) guardRoutes(app, { tokens: options.tokens, log: options.log })
  refuseOtherSites(app, { anyName: options.tokens?.asked === true, ownNames: options.ownNames })
  if (options.tracing !== undefined) traceRequests(app, options.tracing)
  if (options.gate !== undefined) guard(app, options.gate)
  collectProcessMetrics(options.metrics)
  observeTimes(app, options.metrics)
  logRequests(app, options.log)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: options.title, version: '1' },
      components: options.tokens ? { securitySchemes: bearerScheme } : {}
    }
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY })
  addHealth(app, options)
  return app
}

/** Before a body is read, for nobody asked for it. */
function refuseUnknown(app: Http): void {
  const paths = new KnownPaths()
  paths.watch(app)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID, request.id)
    reply.header('x-content-type-options', 'nosniff')
    const refused = refusalOf(request.raw)
    if (refused !== null) return done(refused)
    if (!request.is404) return done()
    const refusal = paths.refusal(request.method, request.url)
    if (refusal instanceof MethodNotAllowedError) reply.header('allow', refusal.allow)
    done(refusal)
  })
  app.setNotFoundHandler(() => {
    throw new NotFoundError()
  })
}

/**
 * So that no page that is open in a browser on this machine can do anything here. At each
 * route, not before them all: who is refused an admin call is in the audit by then.
 */
function refuseOtherSites(
  app: Http,
  { anyName, ownNames }: { anyName: boolean; ownNames: ReadonlySet<string> | undefined }
): void {
  const refuse: onRequestHookHandler = ({ method, headers, socket }, _reply, done) => {
    if (isCrossSite(method, headers)) return done(new CrossSiteError())
    const isForeign =
      !anyName && isForeignName(headers.host, ownNames) && isLoopback(socket.localAddress)
    done(isForeign ? new UnknownHostError(headers.host ?? '') : undefined)
  }
  app.addHook('onRoute', route => {
    route.onRequest = added(route.onRequest, refuse)
  })
}

function addHealth(app: Http, { metrics, missing }: HttpOptions): void {
  const schema = { tags: ['health'] }
  app.get('/livez', { schema }, () => ({ status: 'alive' }))
  app.get('/readyz', { schema }, (_request, reply) => {
    const lacking = missing()
    const ready = lacking.length === 0
    const reasons = lacking.filter(one => typeof one !== 'string')
    return reply.code(ready ? 200 : 503).send({
      ready,
      missing: lacking.map(one => (typeof one === 'string' ? one : one.message)),
      ...(reasons.length > 0 && { reasons })
    })
  })
  app.get('/metrics', { schema }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics())
  )
}
