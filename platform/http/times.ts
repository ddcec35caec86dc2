/**
 * How long requests took, by route, method and status: `convoy_http_request_seconds`.
 * Routes are named by their pattern: a label per user would never end.
 */

import { Histogram, type Registry } from 'prom-client'
import type { Http } from '../http.ts'

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function observeTimes(app: Http, metrics: Registry): void {
  const seconds = new Histogram({
    name: 'convoy_http_request_seconds',
    help: 'Time from the head of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS_S,
    registers: [metrics]
  })
  // Looking up one string is cheaper than checking three labels again at each request.
  const series = new Map<string, Pick<ReturnType<typeof seconds.labels>, 'observe'>>()

  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request
    const route = request.routeOptions.url ?? 'unknown'
    const key = `${method} ${route} ${reply.statusCode}`
    let one = series.get(key)
    if (one === undefined) {
      one = seconds.labels(method, route, String(reply.statusCode))
      series.set(key, one)
    }
    one.observe(reply.elapsedTime / 1_000)
    done()
  })
}
