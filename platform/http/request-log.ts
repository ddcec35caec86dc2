/**
 * One line per answered request at level debug, under the request's id. At any higher
 * level there is no hook, and so no cost.
 */
import type { Http } from '../http.ts'
import type { Logger } from '../log.ts'

export function logRequests(app: Http, log: Logger): void {
  if (!log.isLevelEnabled('debug')) return
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request
    const ms = Math.round(reply.elapsedTime * 10) / 10
    const fields = { method, route: routeOptions.url ?? 'unknown', status: reply.statusCode, ms }
    request.log.debug(fields, 'request answered')
    done()
  })
}
