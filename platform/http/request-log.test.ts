import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'

/** The log lines of one call at `level`. */
async function linesOf(t: Test, level: string): Promise<Record<string, unknown>[]> {
  const output = new PassThrough()
  const app = await openHttp({
    service: 'test',
    title: 'Test',
    log: pino({ level, base: null, timestamp: false }, output),
    metrics: new Registry(),
    bodyLimit: 100,
    missing: () => []
  })
  t.teardown(() => app.close())
  await app.inject({ url: '/livez', headers: { 'x-request-id': 'order-66' } })
  const text = String(output.read() ?? '')
  return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
}

t.test('at level debug an answered request is one line under its id', async t => {
  const lines = (await linesOf(t, 'debug')).filter(({ msg }) => msg === 'request answered')
  t.equal(lines.length, 1)
  t.match(lines[0], { requestId: 'order-66', method: 'GET', route: '/livez', status: 200 })
  t.type(lines[0]?.['ms'], 'number')
})

t.test('at level info an answered request leaves nothing', async t => {
  t.strictSame(await linesOf(t, 'info'), [])
})
