/**
 * The edges of HTTP on every server of Convoy, over plain connections: each refusal has a
 * status, the error body and a stable code, and none of them is a closed connection.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openLb } from '../../lb/server.ts'
import { NOTHING_KNOWN } from '../../orchestrator/cluster-view.ts'
import { loadOrchestratorConfig } from '../../orchestrator/config.ts'
import { openServer, type ServerOptions } from '../../orchestrator/server.ts'
import { type RideRoutes, rideRoutes } from '../../rides-api/routes.ts'
import { type UserRoutes, userRoutes } from '../../users-api/routes.ts'
import { listenToScrapes } from '../../workers/scrape.ts'
import { Gate } from '../controls/gate.ts'
import { openLog } from '../log.ts'
import { openServiceHttp } from '../service/http.ts'
import { Readiness } from '../service/readiness.ts'
import type { ZooKeeper } from '../zookeeper.ts'
import type { Http } from './instance.ts'

const log = openLog({ service: 'test', level: 'silent' })
const nothing = () => ({ [Symbol.dispose]() {} })

const orchestrator = () =>
  openServer({
    config: loadOrchestratorConfig({
      CONVOY_AMQP_URL: 'amqp://x',
      CONVOY_ZOOKEEPER: 'x:1',
      CONVOY_ZOOKEEPER_AUTH: 'a:b',
      CONVOY_WORKERS_DIR: '/nowhere'
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
    connected: () => true,
    sights: { reads: () => new Map(), queues: async () => null }
  } as unknown as ServerOptions)

const service = (routes: (app: Http) => void) =>
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

const lb = () =>
  openLb({
    config: {
      CONVOY_LB_ATTEMPT_MS: 100,
      CONVOY_LB_DEADLINE_MS: 100,
      CONVOY_LB_UNDER_WAY_MAX: 10
    },
    zooKeeper: { watchChildren: nothing } as unknown as ZooKeeper,
    log,
    metrics: new Registry()
  })

async function listening(t: Test, app: Http): Promise<number> {
  t.teardown(() => app.close())
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
}

async function scrapes(t: Test): Promise<number> {
  const registry = new Registry()
  const certificate = undefined
  const scrape = await listenToScrapes({ registry, host: '127.0.0.1', port: 0, certificate, log })
  t.teardown(() => scrape[Symbol.asyncDispose]())
  return Number(new URL(scrape.address ?? '').port)
}

/** Each with a path that answers 200 to a GET. */
async function servers(t: Test) {
  const users = { db: { lastIndex: 0 } } as unknown as UserRoutes
  return [
    ['orchestrator', await listening(t, await orchestrator()), '/livez'],
    ['users-api', await listening(t, await service(app => userRoutes(app, users))), '/livez'],
    [
      'rides-api',
      await listening(t, await service(app => rideRoutes(app, {} as RideRoutes))),
      '/livez'
    ],
    ['lb', await listening(t, await lb()), '/livez'],
    ['worker', await scrapes(t), '/metrics']
  ] as const
}

/** All that comes until the server, or after an answer this client, ends the connection. */
async function exchange(port: number, bytes: string) {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')))
  await once(socket, 'connect')
  socket.write(bytes)
  const all = await text(socket)
  const [head = '', body = ''] = all.split('\r\n\r\n')
  const parsed = /^content-type: application\/json/im.test(head) ? JSON.parse(body) : {}
  return { status: Number(head.split(' ')[1]), code: parsed.code, message: parsed.message, head }
}

const INVALID = [400, 'CONVOY_INVALID_REQUEST']
const ENDS = 'Connection: close\r\n\r\n'

/** What is sent, PATH standing for one that answers, and what comes back. */
const CASES: Record<string, readonly [string, readonly unknown[] | RegExp]> = {
  'one Host': [`GET PATH HTTP/1.1\r\nHost: 127.0.0.1\r\n${ENDS}`, [200]],
  'no Host in HTTP/1.0': ['GET PATH HTTP/1.0\r\n\r\n', [200]],
  'two Hosts': [`GET PATH HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n${ENDS}`, INVALID],
  'two Hosts alike': [
    `GET PATH HTTP/1.1\r\nhost: localhost\r\nHOST: localhost\r\n${ENDS}`,
    INVALID
  ],
  'two Hosts in HTTP/1.0': [`GET PATH HTTP/1.0\r\nHost: localhost\r\nHost: b\r\n\r\n`, INVALID],
  'no Host': [`GET PATH HTTP/1.1\r\n${ENDS}`, INVALID],
  'no Host, unknown path': [`GET /nowhere HTTP/1.1\r\n${ENDS}`, INVALID],
  'a list as Host': [`GET PATH HTTP/1.1\r\nHost: localhost, b\r\n${ENDS}`, INVALID],
  'a URL as Host': [`GET PATH HTTP/1.1\r\nHost: http://localhost/\r\n${ENDS}`, INVALID],
  'a user in Host': [`GET PATH HTTP/1.1\r\nHost: evil@localhost\r\n${ENDS}`, INVALID],
  'a port that is none': [`GET PATH HTTP/1.1\r\nHost: localhost:x\r\n${ENDS}`, INVALID],
  'Host with a port': [`GET PATH HTTP/1.1\r\nHost: localhost:8080\r\n${ENDS}`, [200]],
  'Host as an IPv6 address': [`GET PATH HTTP/1.1\r\nHost: [::1]:8080\r\n${ENDS}`, [200]],
  'a whole URL': [`GET http://localhost:1PATH?a=1 HTTP/1.1\r\nHost: other\r\n${ENDS}`, [200]],
  'a URL without a path': [
    `GET http://localhost/nowhere HTTP/1.1\r\nHost: localhost\r\n${ENDS}`,
    [404, 'CONVOY_NOT_FOUND']
  ],
  'an expectation': [
    `GET PATH HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n${ENDS}`,
    [417, 'CONVOY_EXPECTATION_UNKNOWN']
  ],
  'an expectation with a body': [
    'POST PATH HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello',
    [417, 'CONVOY_EXPECTATION_UNKNOWN']
  ],
  CONNECT: ['CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n', [405, 'CONVOY_METHOD_NOT_ALLOWED']],
  'CONNECT without a Host': ['CONNECT a:1 HTTP/1.1\r\n\r\n', [405, 'CONVOY_METHOD_NOT_ALLOWED']],
  TRACE: [`TRACE PATH HTTP/1.1\r\nHost: localhost\r\n${ENDS}`, [405, 'CONVOY_METHOD_NOT_ALLOWED']],
  'DELETE of what is only read': [
    `DELETE PATH HTTP/1.1\r\nHost: localhost\r\n${ENDS}`,
    [405, 'CONVOY_METHOD_NOT_ALLOWED']
  ],
  'OPTIONS of the server': [
    `OPTIONS * HTTP/1.1\r\nHost: localhost\r\n${ENDS}`,
    [404, 'CONVOY_NOT_FOUND']
  ],
  'an unknown method': [`FOO PATH HTTP/1.1\r\nHost: localhost\r\n${ENDS}`, INVALID],
  'no request line': ['\r\n\r\nhello\r\n\r\n', INVALID],
  'HTTP/2 at once': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', INVALID],
  'HTTP/2 by an upgrade': [
    `GET PATH HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n${ENDS}`,
    [200]
  ],
  'HTTP/3.7': [`GET PATH HTTP/3.7\r\nHost: localhost\r\n${ENDS}`, INVALID],
  TLS: ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', INVALID],
  'a length and chunks': [
    'POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    INVALID
  ],
  'two lengths': [
    'POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    INVALID
  ],
  'a length that is none': [
    'POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
    INVALID
  ],
  'an unknown coding': [
    'POST PATH HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n',
    /^40[05]$/
  ],
  'a blank before a colon': [`GET PATH HTTP/1.1\r\nHost : localhost\r\n${ENDS}`, INVALID],
  'a folded header': [`GET PATH HTTP/1.1\r\nHost: localhost\r\na: b\r\n c\r\n${ENDS}`, INVALID],
  'a header with a NUL': [`GET PATH HTTP/1.1\r\nHost: localhost\r\na: \0\r\n${ENDS}`, INVALID],
  'headers without end': [
    `GET PATH HTTP/1.1\r\nHost: localhost\r\na: ${'x'.repeat(20_000)}\r\n${ENDS}`,
    [431, 'CONVOY_HEADERS_TOO_LARGE']
  ],
  'very many headers': [
    `GET PATH HTTP/1.1\r\n${'a:\r\n'.repeat(2_500)}Host: localhost\r\nHost: b\r\n${ENDS}`,
    INVALID
  ],
  'a query that is no text': [`GET PATH?a=%ff HTTP/1.1\r\nHost: localhost\r\n${ENDS}`, INVALID],
  'half of a pair in a query': [
    `GET PATH?a=%ed%a0%80 HTTP/1.1\r\nHost: localhost\r\n${ENDS}`,
    INVALID
  ],
  'a query that is text': [`GET PATH?a=%f0%9f%98%80 HTTP/1.1\r\nHost: localhost\r\n${ENDS}`, [200]],
  'a path that is no text': [`GET /%ff%zz HTTP/1.1\r\nHost: localhost\r\n${ENDS}`, /^4\d\d$/]
}

t.test('every server answers the edges of HTTP with a status, a code and a body', async t => {
  for (const [name, port, path] of await servers(t)) {
    for (const [what, [sent, expected]] of Object.entries(CASES)) {
      const { status, code, message, head } = await exchange(port, sent.replace('PATH', path))
      const label = `${name}: ${what}`
      if (expected instanceof RegExp) {
        t.match(`${status}`, expected, label)
        t.match(code, /^CONVOY_/, label)
        continue
      }
      t.strictSame([status, code], [expected[0], expected[1]], label)
      if (status < 400) continue
      t.type(message, 'string', label)
      if (status === 405) t.match(head, /^allow: .*GET/im, label)
    }
  }
})

t.test('chunks that are none are refused where a body is read', async t => {
  for (const [name, port] of (await servers(t)).slice(0, 3)) {
    const path = { orchestrator: '/api/v1/db/read', 'users-api': '/api/v1/users' }[name as string]
    const method = name === 'users-api' ? 'PUT' : 'POST'
    const head = `${method} ${path ?? '/api/v1/rides'} HTTP/1.1\r\nHost: localhost\r\n`
    const json = 'Content-Type: application/json\r\n'
    const sent = `${head}${json}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`
    const { status, code } = await exchange(port, sent)
    t.match([status, code], /^(400,CONVOY_INVALID_REQUEST|503,CONVOY_NOT_READY)$/, name)
  }
})
