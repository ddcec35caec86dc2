/**
 * How many calls this instance has answered: failed ones and 405s too, but not
 * `_count`, `db/clear`, health, docs and `/`. GET and DELETE `_count` tell and reset it;
 * the metric is never reset, so that its sum over instances means something.
 */
import { Counter, type Registry } from 'prom-client'
import Type from 'typebox'
import type { Http } from '../http/instance.ts'

const UNCOUNTED = /^(\/api\/v1\/(_count|db\/clear)|\/(livez|readyz|metrics|docs(\/.*)?)?)$/

export function countCalls(app: Http, metrics: Registry): void {
  const total = new Counter({
    name: 'convoy_calls_total',
    help: 'Calls answered, failed ones included; _count, db/clear, health and docs are not',
    registers: [metrics]
  })
  let count = 0

  // On sending and not after it: a client that has its answer finds it counted.
  app.addHook('onSend', (request, _reply, _payload, done) => {
    if (isCounted(request.url)) {
      count++
      total.inc()
    }
    done()
  })

  const Count = Type.Array(Type.Integer(), { minItems: 1, maxItems: 1 })
  const tags = ['service']
  app.get('/api/v1/_count', { schema: { tags, response: { 200: Count } } }, () => [count])
  app.delete('/api/v1/_count', { schema: { tags, response: { 200: Type.Object({}) } } }, () => {
    count = 0
    return {}
  })
}

/** Whether a call of `url` is one of the application's own. */
export const isCounted = (url: string) => !UNCOUNTED.test(url.split('?', 1)[0] ?? url)
