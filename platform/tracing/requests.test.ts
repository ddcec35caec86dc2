import { Registry } from 'prom-client'
import t from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'
import { contextOf } from '../service/context.ts'
import { type EndedSpan, Tracer } from './tracer.ts'

const log = openLog({ service: 'test', level: 'silent' })
const HEADER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function tracing() {
  const ended: EndedSpan[] = []
  return { ended, tracing: new Tracer({ ratio: 1, ended: span => ended.push(span) }) }
}

t.test(
  'a request carries the header of its own span, or of its caller without a tracer',
  async t => {
    const { ended, tracing: tracer } = tracing()
    const ask = async (traced: boolean, traceparent: string) => {
      const app = await openHttp({
        ...{ service: 'test', title: 'test', log, metrics: new Registry(), bodyLimit: 1_024 },
        ...(traced && { tracing: tracer }),
        missing: () => []
      })
      t.teardown(() => app.close())
      app.get('/api/v1/x', request => ({ passedOn: contextOf(request).traceparent ?? 'nothing' }))
      const { body } = await app.inject({ url: '/api/v1/x', headers: { traceparent } })
      return (JSON.parse(body) as { passedOn: string }).passedOn
    }
    t.equal(await ask(false, HEADER), HEADER)
    t.equal(await ask(false, 'nonsense'), 'nothing')
    const passedOn = await ask(true, HEADER)
    t.match(ended[0], { name: 'GET /api/v1/x', parentSpanId: 'b7ad6b7169203331' })
    t.equal(passedOn, `00-${ended[0]?.traceId}-${ended[0]?.spanId}-01`)
    await ask(true, 'nonsense')
    t.equal(ended[1]?.parentSpanId, undefined)
  }
)
