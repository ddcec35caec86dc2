/**
 * Keys of clients, as a route sees them.
 */
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'
import { needs } from './access.ts'
import { clientOf } from './client-key.ts'
import { type Token, Tokens } from './tokens.ts'

async function keys(t: Test, tokens: readonly Token[]) {
  const app = await openHttp({
    ...{ service: 'test', title: 'test', bodyLimit: 1_000, missing: () => [] },
    ...{ log: openLog({ service: 'test', level: 'silent' }), metrics: new Registry() },
    tokens: new Tokens(tokens, { forViews: false })
  })
  t.teardown(() => app.close())
  app.get('/who', { schema: { security: needs('read') } }, request => clientOf(request))
  return async (remoteAddress: string, headers: Record<string, string> = {}) =>
    (await app.inject({ url: '/who', remoteAddress, headers })).body
}

t.test('a token is one client from any address, and two tokens are two', async t => {
  const tokens = ['first-secret', 'second-secret'].map(token => {
    return { token, name: 'same', role: 'read' } as const
  })
  const ask = await keys(t, tokens)
  const first = { authorization: 'Bearer first-secret' }
  const second = { authorization: 'Bearer second-secret' }
  const key = await ask('10.0.0.1', first)
  t.match(key, /^[\w-]{12}$/)
  t.equal(await ask('10.0.0.2', first), key)
  t.not(await ask('10.0.0.1', second), key, 'though role and name are the same')
  const other = await keys(t, tokens.toReversed())
  t.equal(await other('10.0.0.3', first), key, 'the same in another process')
})

t.test('without tokens a client is its network, whatever its headers say', async t => {
  const ask = await keys(t, [])
  const key = await ask('10.0.0.1')
  t.match(key, /^[\w-]{12}$/)
  t.equal(await ask('::ffff:10.0.0.1'), key)
  t.not(await ask('10.0.0.2'), key)
  t.equal(await ask('2001:db8:1:2::1'), await ask('2001:db8:1:2::ffff'))
  const lies = {
    ...{ 'x-forwarded-for': '10.0.0.9', forwarded: 'for=10.0.0.9' },
    ...{ 'x-real-ip': '10.0.0.9', authorization: 'Bearer made-up-token' }
  }
  t.equal(await ask('10.0.0.1', lies), key)
})
