import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'
import { needs } from './access.ts'
import { type Token, Tokens } from './tokens.ts'

const TOKENS: readonly Token[] = [
  { name: 'ann', role: 'admin', token: 'secret-of-ann' },
  { name: 'rob', role: 'read', token: 'secret-of-rob' }
]

/** @returns a server and the lines that it writes */
async function server(t: Test, tokens: readonly Token[] = TOKENS) {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: line => lines.push(line) })
  const app = await openHttp({
    service: 'test',
    title: 'test',
    log,
    metrics: new Registry(),
    bodyLimit: 10_000,
    tokens: new Tokens(tokens, { forViews: true }),
    missing: () => []
  })
  t.teardown(() => app.close())
  app.put('/api/v1/knob', { schema: { security: needs('admin') } }, () => ({}))
  app.get('/api/v1/rows', { schema: { security: needs('read') } }, () => ({}))
  const put = (token?: string, payload: object = { to: 3 }) =>
    app.inject({
      method: 'PUT',
      url: '/api/v1/knob?why=test',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      payload
    })
  return { app, put, lines, told: () => lines.map(line => JSON.parse(line)) }
}

const call = 'PUT /api/v1/knob?why=test'

t.test('an admin call leaves a line: who, from where, what, and the outcome', async t => {
  const { put, told } = await server(t)
  await put('secret-of-ann')
  const who = { name: 'ann', role: 'admin' }
  t.match(told(), [{ audit: true, who, from: '127.0.0.1', call, body: '{"to":3}', status: 200 }])
})

t.test('so does one that is refused, and one with a lesser token', async t => {
  const { put, told } = await server(t)
  await put()
  await put('wrong')
  await put('secret-of-rob')
  t.match(told(), [
    { audit: true, who: null, call, status: 401 },
    { audit: true, who: null, call, status: 401 },
    { audit: true, who: { name: 'rob', role: 'read' }, call, status: 403 }
  ])
})

t.test('so does one that a page of another site asks for', async t => {
  const { app, told } = await server(t, [])
  const headers = { 'sec-fetch-site': 'cross-site' }
  await app.inject({ method: 'PUT', url: '/api/v1/knob?why=test', headers })
  t.match(told(), [{ audit: true, who: null, call, status: 403 }])
})

t.test('so does one whose caller does not wait for the answer', async t => {
  const { app, told } = await server(t)
  const begun = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  app.put('/api/v1/slow', { schema: { security: needs('admin') } }, async () => {
    begun.resolve()
    await go.promise
    return {}
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const hangUp = new AbortController()
  const { port } = app.server.address() as AddressInfo
  const asked = fetch(`http://127.0.0.1:${port}/api/v1/slow`, {
    method: 'PUT',
    headers: { authorization: 'Bearer secret-of-ann', 'content-type': 'application/json' },
    body: '{"to":4}',
    signal: hangUp.signal
  })
  await begun.promise
  hangUp.abort()
  await t.rejects(asked)
  while (told().length === 0) await setImmediate()
  go.resolve()
  const who = { name: 'ann' }
  t.match(told(), [{ audit: true, who, call: 'PUT /api/v1/slow', body: '{"to":4}', status: null }])
})

t.test('no line holds a token, or more of a body than its beginning', async t => {
  const { put, lines } = await server(t)
  for (const token of ['secret-of-ann', 'secret-of-rob', 'secret-of-nobody']) {
    await put(token, { long: 'x'.repeat(5_000) })
  }
  t.equal(lines.length, 3)
  for (const line of lines) {
    t.notMatch(line, 'secret-of')
    t.ok(line.length < 1_000)
  }
})

t.test("what is no admin call leaves none; without tokens an admin call is nobody's", async t => {
  const { app, told } = await server(t)
  await app.inject({ url: '/api/v1/rows', headers: { authorization: 'Bearer secret-of-rob' } })
  t.strictSame(told(), [])
  const open = await server(t, [])
  await open.put()
  t.match(open.told(), [{ audit: true, who: null, call, status: 200 }])
})
