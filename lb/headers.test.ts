import t from 'tap'
import { answeredHeaders, forwardedHeaders } from './headers.ts'

const origin = { requestId: 'r1', key: undefined, remoteAddress: '10.0.0.7', protocol: 'http' }

t.test('what concerns one connection alone stays behind', async t => {
  const headers = {
    host: 'convoy.test',
    connection: 'keep-alive, X-Hop',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked',
    'content-length': '7',
    upgrade: 'h2c',
    te: 'trailers',
    expect: '100-continue',
    'x-hop': 'named in connection',
    accept: 'application/json',
    origin: 'rides-api'
  }
  t.strictSame(forwardedHeaders(headers, origin), {
    accept: 'application/json',
    origin: 'rides-api',
    'x-forwarded-for': '10.0.0.7',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'convoy.test',
    'x-request-id': 'r1'
  })
})

t.test('the way of a request that came through others is continued', async t => {
  const headers = {
    host: 'inner.test',
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'outer.test'
  }
  t.strictSame(forwardedHeaders(headers, { ...origin, key: 'k1' }), {
    'x-forwarded-for': '192.0.2.1, 10.0.0.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'outer.test',
    'x-request-id': 'r1',
    'idempotency-key': 'k1'
  })
})

t.test('an answer keeps its length and its own headers', async t => {
  const headers = {
    connection: 'close',
    'transfer-encoding': 'chunked',
    'content-length': '2',
    'set-cookie': ['a=1', 'b=2'],
    location: '/api/v1/rides/7'
  }
  t.strictSame(answeredHeaders(headers, 'r1'), {
    'content-length': '2',
    'set-cookie': ['a=1', 'b=2'],
    location: '/api/v1/rides/7',
    'x-request-id': 'r1'
  })
})
