/**
 * What the HTTP servers of users-api and rides-api have in common, around the routes
 * of each: counted calls, `db/clear` behind its guard, and 503 until the service has what
 * it needs.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Registry } from 'prom-client'
import Type from 'typebox'
import type { Gate } from '../controls/gate.ts'
import { leadToDocs } from '../http/front.ts'
import type { Http } from '../http/instance.ts'
import { takeJson } from '../http/json-body.ts'
import { refusals } from '../http/openapi.ts'
import { answerTogether } from '../http/together.ts'
import { openHttp } from '../http.ts'
import type { Logger } from '../log.ts'
import { ForbiddenError, UnauthorizedError } from '../security/errors.ts'
import type { Certificate } from '../security/tls.ts'
import { bearerIn, digestOf } from '../security/tokens.ts'
import type { Tracing } from '../tracing/otlp.ts'
import { countCalls, isCounted } from './calls.ts'
import { ClearForbiddenError } from './errors.ts'
import type { Readiness } from './readiness.ts'

const BODY_MAX_BYTES = 1024 * 1024

export interface ServiceHttpOptions {
  readonly service: string
  readonly title: string
  readonly log: Logger
  readonly metrics: Registry
  readonly tracing?: Tracing
  readonly readiness: Readiness
  readonly gate?: Gate
  readonly certificate?: Certificate | undefined
  readonly allowClear: boolean
  /** Digests of the tokens that may clear; undefined where no tokens are in use. */
  readonly clearTokens?: readonly Buffer[] | undefined
  /** Empties the service's own tables. */
  readonly clear: (traceId: string) => Promise<void>
  readonly routes: (app: Http) => void
}

/** A server with all its routes; the caller listens. */
export async function openServiceHttp(options: ServiceHttpOptions): Promise<Http> {
  const { service, title, log, metrics, tracing, readiness, gate } = options
  const missing = () => readiness.missing
  const app = await openHttp({
    ...{ service, title, log, metrics, tracing, missing, certificate: options.certificate },
    bodyLimit: BODY_MAX_BYTES,
    ...(gate && { gate })
  })
  answerTogether(app)
  // Some clients name JSON as the type of no body: a route that needs one says what is missing.
  takeJson(app, app.getDefaultJsonParser('error', 'error'))
  countCalls(app, metrics)
  addClear(app, options)
  leadToDocs(app)
  app.addHook('onRequest', (request, _reply, done) => {
    if (isCounted(request.url)) readiness.check()
    done()
  })
  options.routes(app)
  return app
}

function addClear(app: Http, options: ServiceHttpOptions): void {
  const schema = {
    operationId: `${options.service}.clear`,
    tags: ['service'],
    summary: 'Empties the tables of this service',
    response: {
      200: Type.Object({}, { description: 'All empty' }),
      ...refusals(401, 403, 500, 503, 504)
    }
  }
  app.post('/api/v1/db/clear', { schema }, async request => {
    if (!options.allowClear) throw new ClearForbiddenError()
    checkToken(request.headers.authorization, options.clearTokens)
    options.readiness.check()
    await options.clear(request.id)
    return {}
  })
}

function checkToken(authorization: string | undefined, known: readonly Buffer[] | undefined): void {
  if (known === undefined) return
  const token = bearerIn(authorization)
  if (token === undefined) throw new UnauthorizedError()
  const given = digestOf(token)
  const found = known.filter(digest => timingSafeEqual(given, digest))
  if (found.length === 0) throw new ForbiddenError('admin')
}
