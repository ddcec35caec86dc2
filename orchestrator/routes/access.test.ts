/**
 * Every route of every server, from the servers' own tables, so that none can be forgotten:
 * called without a token, with a wrong one, and with one of each role.
 */
import diagnostics from 'node:diagnostics_channel'
import type { RouteOptions } from 'fastify'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openLb } from '../../lb/server.ts'
import { Gate } from '../../platform/controls/gate.ts'
import type { Http } from '../../platform/http/instance.ts'
import { openLog } from '../../platform/log.ts'
import { isForEverybody, neededOf } from '../../platform/security/access.ts'
import { includes, ROLES } from '../../platform/security/roles.ts'
import { openServiceHttp } from '../../platform/service/http.ts'
import { Readiness } from '../../platform/service/readiness.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import { type RideRoutes, rideRoutes } from '../../rides-api/routes.ts'
import { type UserRoutes, userRoutes } from '../../users-api/routes.ts'
import { NOTHING_KNOWN } from '../cluster-view.ts'
import { loadOrchestratorConfig } from '../config.ts'
import { openServer, type ServerOptions } from '../server.ts'

const BY_ROLE = {
  CONVOY_TOKEN_READ: 'may-read',
  CONVOY_TOKEN_WRITE: 'may-write',
  CONVOY_TOKEN_ADMIN: 'may-admin'
}
const log = openLog({ service: 'test', level: 'silent' })
const nothing = () => ({ [Symbol.dispose]() {} })

interface Route {
  readonly method: 'GET'
  readonly url: string
  readonly needed: ReturnType<typeof neededOf>
}

/** @returns the server that `open` makes, and all routes that it has come to have. */
async function withRoutes(t: Test, open: () => Promise<Http>, declared = true) {
  const routes: Route[] = []
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: Http }
    fastify.addHook('onRoute', (route: RouteOptions) => {
      const needed = declared ? neededOf(route) : undefined
      for (const method of [route.method].flat()) {
        routes.push({ method: method as 'GET', url: route.url, needed })
      }
    })
  }
  diagnostics.subscribe('fastify.initialization', watch)
  const app = await open().finally(() => diagnostics.unsubscribe('fastify.initialization', watch))
  t.teardown(() => app.close())
  const ask = async ({ method, url }: Route, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const path = url.replace(/:\w+/g, 'x').replace('*', 'x')
    const { statusCode, body } = await app.inject({ method, url: path, headers })
    return { status: statusCode, code: /"code":"(\w+)"/.exec(body)?.[1] }
  }
  return { routes, ask }
}

const orchestrator = (t: Test, env: Record<string, string>) =>
  withRoutes(t, () =>
    openServer({
      config: loadOrchestratorConfig({
        CONVOY_AMQP_URL: 'amqp://x',
        CONVOY_ZOOKEEPER: 'x:1',
        CONVOY_ZOOKEEPER_AUTH: 'a:b',
        CONVOY_WORKERS_DIR: '/nowhere',
        ...env
      }),
      log,
      metrics: new Registry(),
      gate: new Gate(),
      view: { now: NOTHING_KNOWN, on: nothing },
      dispatch: { up: true, depths: {} },
      room: { controls: { hosts: [], frozen: {} }, operations: [] },
      runtime: {},
      settings: {},
      scaling: {},
      stuck: () => null,
      obstacles: () => [],
      sights: { reads: () => new Map(), queues: async () => null }
    } as unknown as ServerOptions)
  )

const isStream = ({ url }: Route) => /(events|stream)$/.test(url)

t.test('every route of the orchestrator takes the role it names, and no lesser one', async t => {
  const { routes, ask } = await orchestrator(t, BY_ROLE)
  const guarded = routes.filter(({ needed }) => needed !== undefined)
  t.ok(guarded.length > 25, `${guarded.length} of ${routes.length}`)
  for (const route of guarded) {
    const name = `${route.method} ${route.url}`
    for (const token of [undefined, 'wrong', 'may-admin2']) {
      t.strictSame(await ask(route, token), refused(route, 401, 'CONVOY_UNAUTHORIZED'), name)
    }
    for (const role of ROLES) {
      if (includes(role, route.needed?.role ?? 'read')) {
        if (!isStream(route)) t.notMatch(await ask(route, `may-${role}`), { status: /40[13]/ })
      } else {
        const answer = await ask(route, `may-${role}`)
        t.strictSame(answer, refused(route, 403, 'CONVOY_FORBIDDEN'), `${name} as ${role}`)
      }
    }
  }
})

/** To a HEAD nothing is said but the status. */
const refused = ({ method }: Route, status: number, code: string) => ({
  status,
  code: (method as string) === 'HEAD' ? undefined : code
})

t.test('what needs no role is a page, a description or health, and holds no data', async t => {
  const { routes, ask } = await orchestrator(t, BY_ROLE)
  const open = routes.filter(({ needed }) => needed === undefined)
  t.strictSame(
    open.filter(({ url }) => !isForEverybody(url)),
    []
  )
  for (const route of open) t.not((await ask(route)).status, 401, route.url)
})

t.test('one token for all leaves open what may be seen, and nothing else', async t => {
  const { routes, ask } = await orchestrator(t, { CONVOY_TOKEN: 'the-one' })
  for (const route of routes.filter(one => one.needed !== undefined && !isStream(one))) {
    const { status } = await ask(route)
    if (route.needed?.view) t.equal(status < 400 || status === 500, true, route.url)
    else t.equal(status, 401, route.url)
    t.notMatch(await ask(route, 'the-one'), { status: /40[13]/ }, route.url)
  }
})

t.test('a route that does not say who may call it stops the server', async t => {
  t.throws(() => neededOf({ url: '/api/v1/forgotten', schema: {} }), /does not say who may call/)
})

t.test('the services and lb have routes for everybody, and no others', async t => {
  const service = (routes: (app: Http) => void) => () =>
    openServiceHttp({
      service: 'test',
      title: 'Test',
      log,
      metrics: new Registry(),
      readiness: new Readiness(),
      allowClear: false,
      clear: async () => {},
      routes
    })
  const zooKeeper = { watchChildren: nothing } as unknown as ZooKeeper
  const config = {
    CONVOY_LB_ATTEMPT_MS: 100,
    CONVOY_LB_DEADLINE_MS: 100,
    CONVOY_LB_UNDER_WAY_MAX: 10
  }
  const users = { db: { lastIndex: 0 } } as unknown as UserRoutes
  const servers = [
    await withRoutes(
      t,
      service(app => userRoutes(app, users)),
      false
    ),
    await withRoutes(
      t,
      service(app => rideRoutes(app, {} as RideRoutes)),
      false
    ),
    await withRoutes(t, () => openLb({ config, zooKeeper, log, metrics: new Registry() }), false)
  ]
  const own = /^\/api\/v1\/(_count|db\/clear|users.*|rides.*)$/
  for (const { routes } of servers) {
    const others = routes.filter(({ url }) => !own.test(url) && !isForEverybody(url))
    t.strictSame(others, [])
  }
})
