import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { openLog } from '../log.ts'
import { Exporter, requestOf } from './otlp.ts'
import { parseTraceparent, traceparentOf, traceparentText } from './traceparent.ts'
import { type EndedSpan, KIND, Tracer } from './tracer.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'
const HEADER = `00-${TRACE_ID}-${SPAN_ID}-01`
const ENDING = { failed: false, attributes: {} }

t.test('a traceparent is read as it is written', async t => {
  const parsed = { traceId: TRACE_ID, spanId: SPAN_ID, sampled: true }
  t.strictSame(parseTraceparent(HEADER), parsed)
  t.equal(traceparentText(parsed), HEADER)
  t.strictSame(parseTraceparent(HEADER.replace(/01$/, '02')), { ...parsed, sampled: false })
  t.strictSame(parseTraceparent(`01-${HEADER.slice(3)}-more`), parsed, 'a later version says more')
  t.equal(traceparentOf({ traceparent: HEADER }), HEADER)
})

t.test('what is no traceparent is ignored', async t => {
  const wrong = [
    ...[
      '',
      'x',
      HEADER.toUpperCase(),
      `${HEADER}-more`,
      ` ${HEADER}`,
      HEADER.replace('00-', 'ff-')
    ],
    HEADER.replace(TRACE_ID, '0'.repeat(32)),
    HEADER.replace(SPAN_ID, '0'.repeat(16))
  ]
  for (const text of wrong) {
    t.equal(parseTraceparent(text), undefined, text)
    t.equal(traceparentOf({ traceparent: text }), undefined)
  }
  t.equal(traceparentOf({}), undefined)
})

function tracer(ratio: number, random = () => 0.5) {
  const ended: EndedSpan[] = []
  return { ended, tracer: new Tracer({ ratio, random, ended: span => ended.push(span) }) }
}

t.test('a span is the child of who calls, and the parent of whom it calls', async t => {
  const { ended, tracer: one } = tracer(0)
  const outer = one.start({ name: 'outer', kind: KIND.server, parent: HEADER })
  const inner = one.start({ name: 'inner', kind: KIND.server, parent: outer.traceparent })
  inner.end(ENDING)
  outer.end({ ...ENDING, failed: true })
  const [first, second] = ended
  t.match(first, { traceId: TRACE_ID, parentSpanId: second?.spanId, failed: false })
  t.match(second, { traceId: TRACE_ID, parentSpanId: SPAN_ID, failed: true })
})

t.test('who calls decides what is recorded; else the ratio does', async t => {
  const start = (ratio: number, parent?: string) => {
    const { ended, tracer: one } = tracer(ratio)
    const { traceparent, end } = one.start({ name: 'n', kind: KIND.server, parent })
    end(ENDING)
    t.equal(parseTraceparent(traceparent)?.sampled, ended.length === 1)
    return ended.length
  }
  t.strictSame([start(0), start(0.4), start(0.6), start(1)], [0, 0, 1, 1])
  t.equal(start(1, HEADER.replace(/01$/, '00')), 0)
})

const span = (name: string): EndedSpan => ({
  ...{ name, kind: KIND.server, traceId: TRACE_ID, spanId: SPAN_ID, parentSpanId: undefined },
  ...{ beganAtMs: 1_795_000_000_000.25, endedAtMs: 1_795_000_000_001, failed: false },
  attributes: { status: 200, id: 'x' }
})

t.test('spans are told in the form of OTLP', async t => {
  t.match(JSON.parse(JSON.stringify(requestOf([span('a')], 'lb'))), {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'lb' } }] },
        scopeSpans: [
          {
            spans: [
              {
                ...{ name: 'a', kind: 2, traceId: TRACE_ID, spanId: SPAN_ID, status: { code: 0 } },
                startTimeUnixNano: '1795000000000250000',
                endTimeUnixNano: '1795000000001000000',
                attributes: [
                  { key: 'status', value: { intValue: '200' } },
                  { key: 'id', value: { stringValue: 'x' } }
                ]
              }
            ]
          }
        ]
      }
    ]
  })
})

const process = { service: 'test', log: openLog({ service: 'test', level: 'silent' }) }

async function collector(t: Test, status: number) {
  let taken = 0
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    taken += JSON.parse(text).resourceSpans[0].scopeSpans[0].spans.length
    response.writeHead(status).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, taken: () => taken }
}

t.test('what is buffered at the end is sent', async t => {
  const { url, taken } = await collector(t, 200)
  const exporter = new Exporter(url, process)
  exporter.add(span('a'))
  exporter.add(span('b'))
  await exporter[Symbol.asyncDispose]()
  t.strictSame([taken(), exporter.dropped], [2, 0])
})

t.test(
  'what a collector does not take, or the buffer not hold, is dropped and counted',
  async t => {
    const { url } = await collector(t, 503)
    const exporter = new Exporter(url, process)
    for (let i = 0; i < 10_000; i++) exporter.add(span('a'))
    t.ok(exporter.dropped > 5_000)
    await exporter[Symbol.asyncDispose]()
    const away = new Exporter('http://127.0.0.1:1', process)
    away.add(span('a'))
    await away[Symbol.asyncDispose]()
    t.equal(away.dropped, 1)
  }
)
