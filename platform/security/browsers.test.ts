import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'
import { needs } from './access.ts'
import { isCrossSite, isForeignName } from './browsers.ts'
import { type Token, Tokens } from './tokens.ts'

t.test('only what changes something, and only what a page of another site asks', async t => {
  const host = '127.0.0.1:8090'
  const evil = 'http://evil.example'
  t.ok(isCrossSite('POST', { host, 'sec-fetch-site': 'cross-site' }))
  t.ok(isCrossSite('POST', { host, 'sec-fetch-site': 'same-site' }), 'from another port')
  t.ok(isCrossSite('DELETE', { host, origin: evil }))
  t.ok(isCrossSite('POST', { host, origin: 'null' }), 'out of a sandbox')
  t.notOk(isCrossSite('GET', { host, origin: evil, 'sec-fetch-site': 'cross-site' }))
  t.notOk(isCrossSite('POST', { host }), 'no browser')
  t.notOk(isCrossSite('POST', { host, 'sec-fetch-site': 'same-origin' }))
  t.notOk(isCrossSite('POST', { host, 'sec-fetch-site': 'none' }), 'by the user')
  t.notOk(isCrossSite('POST', { host, origin: `http://${host}` }))
  const atLb = { host, 'x-forwarded-host': 'rides.example', origin: 'https://rides.example' }
  t.notOk(isCrossSite('POST', atLb), 'passed on by lb')
})

t.test('names that nobody else can give to this machine', async t => {
  for (const host of [
    'localhost',
    'localhost:80',
    'a.localhost:80',
    '127.0.0.1:1',
    '[::1]:8090',
    'LOCALHOST:80',
    'a.LocalHost',
    'localhost.'
  ]) {
    t.notOk(isForeignName(host), host)
  }
  t.notOk(isForeignName(undefined))
  for (const host of ['evil.example:8090', 'localhost.evil.example', 'x:y', '']) {
    t.ok(isForeignName(host), host)
  }
})

async function server(t: Test, tokens: readonly Token[], ...names: string[]) {
  const app = await openHttp({
    service: 'test',
    title: 'test',
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 10_000,
    ownNames: new Set(names),
    tokens: new Tokens(tokens, { forViews: false }),
    missing: () => []
  })
  t.teardown(() => app.close())
  let done = 0
  app.post('/api/v1/crash', { schema: { security: needs('admin') } }, () => ({ done: ++done }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  /** By node:http, which sends any Host. */
  const post = (headers: Record<string, string>) =>
    new Promise<{ status: number | undefined; code: unknown }>((resolve, reject) => {
      const asked = request(
        { port, method: 'POST', path: '/api/v1/crash', headers },
        async answer => {
          let text = ''
          for await (const part of answer) text += part
          resolve({ status: answer.statusCode, code: JSON.parse(text).code })
        }
      )
      asked.on('error', reject).end()
    })
  return { post, done: () => done }
}

t.test('a page of another site, or of a name that points here, changes nothing', async t => {
  const { post, done } = await server(t, [])
  const crossSite = await post({ 'sec-fetch-site': 'cross-site' })
  t.strictSame(crossSite, { status: 403, code: 'CONVOY_CROSS_SITE' })
  const rebound = await post({ host: 'evil.example', 'sec-fetch-site': 'same-origin' })
  t.strictSame(rebound, { status: 421, code: 'CONVOY_UNKNOWN_HOST' })
  t.equal(done(), 0)
  t.equal((await post({})).status, 200)
})

t.test('with tokens any name will do, without them one that the operator chose', async t => {
  const ann = { name: 'ann', role: 'admin', token: 'secret-of-ann' } as const
  const guarded = await server(t, [ann])
  const authorization = `Bearer ${ann.token}`
  t.equal((await guarded.post({ host: 'convoy.example', authorization })).status, 200)
  t.equal((await guarded.post({ authorization, 'sec-fetch-site': 'cross-site' })).status, 403)
  const door = await server(t, [], 'rides.example')
  t.equal((await door.post({ host: 'Rides.example:8080' })).status, 200)
  t.equal((await door.post({ host: 'other.example' })).status, 421)
})
