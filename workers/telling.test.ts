import t from 'tap'
import { openLog } from '../platform/log.ts'
import { type EndedSpan, Tracer } from '../platform/tracing/tracer.ts'
import type { WriteCommand } from '../wire/requests.ts'
import { openTeller } from './telling.ts'

const log = openLog({ service: 'test', level: 'silent' })
const HEADER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function tracing() {
  const ended: EndedSpan[] = []
  return { ended, tracing: new Tracer({ ratio: 1, ended: span => ended.push(span) }) }
}

const command = (fields: Partial<WriteCommand>): WriteCommand => ({
  ...{ requestId: 'k', commandHash: '', statements: [], ttlMs: 1_000, mayRepeat: false },
  ...fields
})

t.test('a write that is traced has a span from its receipt to its answer', async t => {
  const { ended, tracing: tracer } = tracing()
  const receivedMs = performance.now() - 50
  const told = openTeller({ tracing: tracer, log }).begin({
    term: 3,
    writes: [
      { command: command({ traceparent: HEADER, traceId: 'r' }), receivedMs },
      { command: command({}), receivedMs }
    ],
    executed: [
      { kind: 'refused', status: 422, result: '' },
      { kind: 'refused', status: 422, result: '' }
    ]
  })
  t.equal(ended.length, 0)
  told()
  t.equal(ended.length, 1)
  const [span] = ended
  t.match(span, { name: 'write', parentSpanId: 'b7ad6b7169203331', failed: false })
  t.match(span?.attributes, { 'convoy.request_id': 'r', 'http.response.status_code': 422 })
  t.ok((span?.endedAtMs ?? 0) - (span?.beganAtMs ?? 0) >= 50)
})
