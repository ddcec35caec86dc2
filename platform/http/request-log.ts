/**
 * One line per answered request at level debug, under the request's id.
 */

import type { Logger } from '../log.ts'
import type { Http } from './instance.ts'

export function logRequests(app: Http, log: Logger): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (!log.isLevelEnabled('debug')) return done()
    const { method, routeOptions } = request
    const ms = Math.round(reply.elapsedTime * 10) / 10
    const fields = { method, route: routeOptions.url ?? 'unknown', status: reply.statusCode, ms }
    request.log.debug(fields, 'request answered')
    done()
  })
}
