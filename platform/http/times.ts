/**
 * How long requests took, by route, method and status: `convoy_http_request_seconds`.
 * Routes are named by their pattern: a label per user would never end.
 */

import { Histogram, type Registry } from 'prom-client'
import type { Http } from './instance.ts'

const NAME = 'convoy_http_request_seconds'
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface Answered {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly ms: number
}

/** @returns what notes an answered request; asked twice of one registry, of the same metric */
export function requestTimes(metrics: Registry): (answered: Answered) => void {
  const known = metrics.getSingleMetric(NAME) as Histogram | undefined
  const seconds =
    known ??
    new Histogram({
      name: NAME,
      help: 'Time from the head of a request to the end of its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: BUCKETS_S,
      registers: [metrics]
    })
  // Looking up one string is cheaper than checking three labels again at each request.
  const series = new Map<string, Pick<ReturnType<typeof seconds.labels>, 'observe'>>()
  return ({ method, route, status, ms }) => {
    const key = `${method} ${route} ${status}`
    let one = series.get(key)
    if (one === undefined) {
      one = seconds.labels(method, route, String(status))
      series.set(key, one)
    }
    one.observe(ms / 1_000)
  }
}

export function observeTimes(app: Http, metrics: Registry): void {
  const observe = requestTimes(metrics)
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown'
    observe({ method: request.method, route, status: reply.statusCode, ms: reply.elapsedTime })
    done()
  })
}
