/** Both services' routes in one server, without anything behind them: what it tells about itself. */
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { type RideRoutes, rideRoutes } from '../../rides-api/routes.ts'
import { type UserRoutes, userRoutes } from '../../users-api/routes.ts'
import { openLog } from '../log.ts'
import { digestOf } from '../security/tokens.ts'
import { openServiceHttp } from './http.ts'
import { Readiness } from './readiness.ts'

async function server(t: Test, clearTokens?: readonly Buffer[]) {
  const app = await openServiceHttp({
    service: 'test',
    title: 'Test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    readiness: new Readiness(),
    allowClear: true,
    clearTokens,
    clear: async () => {},
    routes: app => {
      userRoutes(app, { db: { lastIndex: 0 } } as unknown as UserRoutes)
      rideRoutes(app, {} as RideRoutes)
    }
  })
  t.teardown(() => app.close())
  return app
}

t.test('the root leads to the description, ready or not, and is not counted', async t => {
  const app = await server(t)
  const { statusCode, headers } = await app.inject('/')
  t.strictSame([statusCode, headers.location], [302, '/docs'])
  t.equal((await app.inject('/api/v1/_count')).body, '[0]')
})

t.test('the description tells headers, refusals and bodies that would be taken', async t => {
  const app = await server(t)
  const { paths } = (await app.inject('/docs/json')).json()
  const { put } = paths['/api/v1/users']
  t.match(put.parameters, [{ name: 'idempotency-key', in: 'header' }])
  t.ok(put.responses['201'].headers['Convoy-Index'])
  t.match(put.requestBody.content['application/json'].example.password, /^[0-9a-f]{40}$/)
  const { post } = paths['/api/v1/rides']
  t.ok(post.responses['201'].headers.Location)
  t.match(Object.keys(post.responses), ['201', '400', '413', '415', '422', '500', '503', '504'])
  const applications = Object.keys(paths).filter(path => /users|rides/.test(path))
  const vague = applications.filter(path =>
    JSON.stringify(paths[path]).includes('Default Response')
  )
  t.strictSame(vague, [])
})

t.test('where tokens are in use, only one that may clears', async t => {
  const clear = async (app: Awaited<ReturnType<typeof server>>, authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    return (await app.inject({ method: 'POST', url: '/api/v1/db/clear', headers })).statusCode
  }
  const guarded = await server(t, [digestOf('secret-of-ann')])
  t.equal(await clear(guarded), 401)
  t.equal(await clear(guarded, 'Bearer another'), 403)
  t.not(await clear(guarded, 'bearer secret-of-ann'), 401)
  t.equal(await clear(await server(t, []), 'Bearer secret-of-ann'), 403, 'nobody may')
})
