/**
 * A span for each request to an HTTP server's API. From its start the request carries the
 * header of its own span, as if that had called: whatever is asked on its behalf, here or
 * further on, is a part of it.
 */
import type { FastifyRequest } from 'fastify'
import { CALLS_PATH } from '../../wire/calls.ts'
import type { Http } from '../http/instance.ts'
import { TRACEPARENT } from './traceparent.ts'
import { KIND, type Span, type Tracer } from './tracer.ts'

export function traceRequests(app: Http, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>()
  app.addHook('onRequest', (request, _reply, done) => {
    if (isTraced(request.url)) {
      const { headers, method, routeOptions } = request
      const name = `${method} ${routeOptions.url ?? 'unknown'}`
      const span = tracer.start({ name, kind: KIND.server, parent: headers[TRACEPARENT] })
      headers[TRACEPARENT] = span.traceparent
      spans.set(request, span)
    }
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode: status } = reply
    spans.get(request)?.end({
      failed: status >= 500,
      attributes: { 'http.response.status_code': status, 'convoy.request_id': request.id }
    })
    done()
  })
}

/** Not health and pages; and each call over one connection has a span of its own. */
const isTraced = (url: string) => url.startsWith('/api/') && url !== CALLS_PATH
