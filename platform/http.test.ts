import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import Type from 'typebox'
import { InvalidRequestError, OverloadedError } from '../wire/errors.ts'
import type { Http } from './http/instance.ts'
import { openHttp } from './http.ts'
import { openLog } from './log.ts'

async function server(t: Test, missing: string[] = []): Promise<Http> {
  const app = await openHttp({
    service: 'test',
    title: 'Test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 100,
    missing: () => missing
  })
  t.teardown(() => app.close())
  const Rider = Type.Object(
    { name: Type.String(), kind: Type.Optional(Type.Enum(['driver', 'guest'])) },
    { additionalProperties: false }
  )
  app.post('/riders', { schema: { body: Rider } }, request => ({ name: request.body.name }))
  app.get('/riders/:name', request => ({ id: request.id }))
  app.delete('/riders/:name', () => {
    throw new InvalidRequestError('no such rider')
  })
  app.get('/busy', () => {
    throw new OverloadedError('busy')
  })
  app.get('/bug', () => {
    throw new Error('secret detail')
  })
  return app
}

const post = (payload: string, type = 'application/json') => ({
  method: 'POST' as const,
  url: '/riders',
  headers: { 'content-type': type },
  payload
})

t.test('a known path with a wrong method is 405 and says what is allowed', async t => {
  const app = await server(t)
  const reply = await app.inject({ method: 'PUT', url: '/riders/ada?x=1', payload: '{broken' })
  t.equal(reply.statusCode, 405)
  t.equal(reply.headers.allow, 'DELETE, GET, HEAD')
  t.equal(reply.json().code, 'CONVOY_METHOD_NOT_ALLOWED')
})

t.test('an unknown path is 404 with the error body', async t => {
  const app = await server(t)
  for (const url of ['/nothing', '/riders/ada/more', '/', '/docs/static/nothing.js']) {
    const reply = await app.inject(url)
    t.equal(reply.statusCode, 404, url)
    t.strictSame(reply.json(), { code: 'CONVOY_NOT_FOUND', message: 'no such path' }, url)
  }
})

t.test('what cannot be read as a request is refused with the error body', async t => {
  const app = await server(t)
  const refusals = [
    [await app.inject(post('{"name":')), 400, 'CONVOY_INVALID_REQUEST'],
    [await app.inject(post('')), 400, 'CONVOY_INVALID_REQUEST'],
    [await app.inject(post('{"__proto__":{}}')), 400, 'CONVOY_INVALID_REQUEST'],
    [await app.inject(post(`{"name":"${'x'.repeat(100)}"}`)), 413, 'CONVOY_BODY_TOO_LARGE'],
    [await app.inject(post('name=ada', 'text/plain')), 415, 'CONVOY_UNSUPPORTED_MEDIA_TYPE'],
    [await app.inject('/riders/%ff'), 400, 'CONVOY_INVALID_REQUEST']
  ] as const
  for (const [reply, status, code] of refusals) {
    t.equal(reply.statusCode, status, reply.body)
    t.equal(reply.json().code, code, reply.body)
  }
})

t.test('who sends far too much is still told so, and not just cut off', async t => {
  const app = await server(t)
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/riders`
  const body = JSON.stringify({ name: 'x'.repeat(20 * 1024 * 1024) })
  for (let attempt = 0; attempt < 3; attempt++) {
    const reply = await fetch(url, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body },
      signal: AbortSignal.timeout(10_000)
    })
    t.equal(reply.status, 413)
    t.match(await reply.json(), { code: 'CONVOY_BODY_TOO_LARGE' })
  }
})

t.test('a wrong body is told in words that name the field', async t => {
  const app = await server(t)
  const messages = [
    ['{}', 'body.name is missing'],
    ['{"name":1}', 'body.name must be string'],
    ['[]', 'body must be object'],
    ['{"name":"ada","age":3}', 'body.age is unknown'],
    ['{"name":"ada","kind":"pilot"}', 'body.kind must be one of: driver, guest']
  ] as const
  for (const [body, message] of messages) {
    const reply = await app.inject(post(body))
    t.strictSame(reply.json(), { code: 'CONVOY_INVALID_REQUEST', message })
  }
})

t.test('an error answers with its own status; a bug with 500 and nothing about it', async t => {
  const app = await server(t)
  const refused = await app.inject({ method: 'DELETE', url: '/riders/ada' })
  t.equal(refused.statusCode, 400)
  const busy = await app.inject('/busy')
  t.equal(busy.statusCode, 503)
  t.equal(busy.headers['retry-after'], '1')
  const bug = await app.inject('/bug')
  t.equal(bug.statusCode, 500)
  t.strictSame(bug.json(), { code: 'CONVOY_INTERNAL', message: 'internal error' })
})

t.test('a sane request id is kept, any other replaced, and each is told in the answer', async t => {
  const app = await server(t)
  const idOf = async (id?: string) => {
    const headers = id === undefined ? {} : { 'x-request-id': id }
    const reply = await app.inject({ url: '/riders/ada', headers })
    t.equal(reply.headers['x-request-id'], reply.json().id)
    return reply.json().id as string
  }
  t.equal(await idOf('order-66'), 'order-66')
  t.equal(await idOf('x'.repeat(100)), 'x'.repeat(100))
  t.not(await idOf('x'.repeat(101)), 'x'.repeat(101))
  t.not(await idOf('two words'), 'two words')
  t.not(await idOf(), await idOf())
})

t.test('each answer is counted and timed by its route, not by its path', async t => {
  const app = await server(t)
  await app.inject('/riders/ada')
  await app.inject('/riders/bob')
  await app.inject('/nothing')
  const { body } = await app.inject('/metrics')
  const count = 'convoy_http_request_seconds_count'
  t.match(body, `${count}{method="GET",route="/riders/:name",status="200"} 2`)
  t.match(body, `${count}{method="GET",route="unknown",status="404"} 1`)
})

t.test('readiness names what is missing', async t => {
  const missing = ['RabbitMQ']
  const app = await server(t, missing)
  const before = await app.inject('/readyz')
  t.equal(before.statusCode, 503)
  t.strictSame(before.json(), { ready: false, missing: ['RabbitMQ'] })
  missing.pop()
  t.equal((await app.inject('/readyz')).statusCode, 200)
  t.equal((await app.inject('/livez')).statusCode, 200)
})
