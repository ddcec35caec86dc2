/**
 * The routes with a dispatch that says what it was asked: what comes in over HTTP,
 * what goes to the lanes, and how answers go back.
 */
import { request } from 'node:http'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { Gate } from '../../platform/controls/gate.ts'
import { openLog } from '../../platform/log.ts'
import { decidedByWindow, SETTINGS } from '../../testing/fixtures/scaling.ts'
import type { WorkerNode } from '../../wire/znodes.ts'
import { openAdmission } from '../admission/admission.ts'
import { openParser } from '../admission/parser.ts'
import { type Cluster, type ClusterView, NOTHING_KNOWN } from '../cluster-view.ts'
import { loadOrchestratorConfig } from '../config.ts'
import type { ControlRoom } from '../controls/control-room.ts'
import { NoSuccessorError } from '../errors.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import { NONE_WAITS, obstaclesOf } from '../obstacles.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { ScalingChange } from '../scaling/settings.ts'
import { openServer } from '../server.ts'
import type { Verified } from '../verify/verification.ts'
import type { Looked, Verifications } from '../verify/verifications.ts'

const admission = openAdmission(await openParser())
const REQUIRED = {
  CONVOY_AMQP_URL: 'amqp://x',
  CONVOY_ZOOKEEPER: 'x:1',
  CONVOY_ZOOKEEPER_AUTH: 'a:b',
  CONVOY_WORKERS_DIR: '/nowhere'
}

const node = (pid: number, role: WorkerNode['role']): WorkerNode => ({
  ...{
    pid,
    clusterId: 'c',
    role,
    host: 'h',
    container: null,
    term: 3,
    last: { index: 9, term: 3 },
    clone: null
  },
  ...{ reachesAmqp: true, trouble: null, diverged: false, yields: false },
  ...{ needsFrom: null, since: 's' },
  figures: { applied: pid === 4330 ? 7 : 9, readsPerS: 1, cpuPercent: 2, memoryMiB: 3 }
})

const CLUSTER: Cluster = {
  ...NOTHING_KNOWN,
  known: true,
  state: { clusterId: 'c', term: 3, master: 'm', inSync: ['m', 'r', 's'] },
  workers: new Map([
    ['m', node(9000, 'master')],
    ['s', node(4330, 'replica')],
    ['r', node(1000, 'replica')],
    ['j', node(9999, 'joining')]
  ])
}

const NO_VERIFICATIONS = {} as unknown as Verifications

async function server(
  t: Test,
  {
    cluster = CLUSTER,
    env = {},
    status = 200,
    body = '{}',
    verifications = NO_VERIFICATIONS,
    room = Number.POSITIVE_INFINITY
  } = {}
) {
  const asked: unknown[] = []
  const killed: string[] = []
  const changes: ScalingChange[] = []
  let reads = 0
  const answer = async (...args: unknown[]) => {
    asked.push(args)
    return { status, body: Buffer.from(body) }
  }
  const app = await openServer({
    config: loadOrchestratorConfig({ ...REQUIRED, ...env }),
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    gate: new Gate(),
    room: {} as unknown as ControlRoom,
    admission,
    dispatch: {
      ...{ write: answer, read: answer, up: true, depths: {} },
      largeRoomBytes: () => room
    } as unknown as Dispatch,
    reads: { read: answer },
    view: {
      now: cluster,
      on: () => ({ [Symbol.dispose]: () => {} }),
      until: async () => cluster
    } as unknown as ClusterView,
    runtime: {
      kill: async (workerId: string) => {
        killed.push(workerId)
        return cluster.workers.get(workerId)?.pid ?? null
      }
    } as unknown as Runtime,
    zookeeper: { read: async () => ({ data: JSON.stringify(cluster.state), version: 1 }) },
    stuck: () => null,
    scaling: { wanted: 4, nextAt: '2026-11-22T06:02:00.000Z', rule: 'the rule' },
    settings: {
      now: SETTINGS,
      change: async change => {
        changes.push(change)
        return { ...SETTINGS, ...change }
      }
    },
    onRead: () => {
      reads += 1
    },
    handOver: async () => {
      if (cluster.state?.inSync.length === 1) throw new NoSuccessorError('none')
      return { term: 4, master: 's', pid: 4330 }
    },
    verifications,
    obstacles: () =>
      obstaclesOf({
        ...{ cluster, absences: new Map(), minCopies: 2, nowMs: 0, writes: NONE_WAITS },
        ...{ zookeeper: true, broker: 'up', frozen: false, writesDisabled: false }
      }),
    sights: {
      orchestratorId: 'o',
      reads: () => new Map([['o', reads]]),
      queues: async () => null
    }
  })
  t.teardown(() => app.close())
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    payload?: object,
    headers = {}
  ) => {
    const reply = await app.inject({
      method,
      url: `/api/v1/${url}`,
      headers,
      ...(payload && { payload })
    })
    return { status: reply.statusCode, body: reply.body, headers: reply.headers }
  }
  return { call, asked, killed, changes, reads: () => reads, app }
}

const INSERT = { statements: [{ sql: 'insert into t values ($1)', params: [1], expectRows: 1 }] }
const codeOf = ({ status, body }: { status: number; body: string }) => [
  status,
  JSON.parse(body).code
]

t.test('a write goes out as admitted, and the answer comes back byte for byte', async t => {
  const { call, asked } = await server(t, { body: '{"index": 1 , "rows":[1.0]}' })
  const headers = { 'idempotency-key': 'key~1', 'x-request-id': 'r' }
  const reply = await call('POST', 'db/write', INSERT, headers)
  t.strictSame([reply.status, reply.body], [200, '{"index": 1 , "rows":[1.0]}'])
  t.equal(reply.headers['content-type'], 'application/json; charset=utf-8')
  const statements = JSON.stringify(
    [{ ...INSERT.statements[0], kind: 'dml' }].map(({ sql, params, kind, expectRows }) => ({
      sql,
      params,
      kind,
      expectRows
    }))
  )
  const { commandHash } = await admission.write(INSERT.statements)
  const { client } = (asked as [[{ client: string }]])[0][0]
  t.match(client, /^[\w-]{12}$/)
  const named = { requestId: 'key~1', traceId: 'r', mayRepeat: true, client }
  t.strictSame(asked, [[{ statements, commandHash, ...named }, 10_000]])
})

t.test('answers of any script and size come back byte for byte', async t => {
  for (const body of ['{"rows":["é€😀\\u0000"]}', `{"rows":["${'é'.repeat(20_000)}"]}`]) {
    const { call } = await server(t, { body })
    const reply = await call('POST', 'db/read', { sql: 'select 1' })
    t.equal(reply.body, body)
    t.equal(reply.headers['content-length'], String(Buffer.byteLength(body)))
  }
})

t.test('without a key the id is new, and no other copy can exist', async t => {
  const { call, asked } = await server(t)
  await call('POST', 'db/write', INSERT)
  await call('POST', 'db/write', INSERT)
  const [one, two] = asked.map(args => (args as [{ requestId: string; mayRepeat: boolean }])[0])
  t.strictSame([one?.mayRepeat, two?.mayRepeat], [false, false])
  t.not(one?.requestId, two?.requestId)
})

t.test('errors that a worker decided pass through; 503 says when to come again', async t => {
  const refused = await server(t, { status: 409, body: '{"code":"CONVOY_CONSTRAINT"}' })
  t.strictSame(codeOf(await refused.call('POST', 'db/write', INSERT)), [409, 'CONVOY_CONSTRAINT'])
  const full = await server(t, { status: 503, body: '{"code":"CONVOY_OVERLOADED"}' })
  t.equal((await full.call('POST', 'db/write', INSERT)).headers['retry-after'], '1')
})

t.test('reads go to the lane of their consistency', async t => {
  const { call, asked } = await server(t)
  await call('POST', 'db/read', { sql: 'select 1' })
  await call('POST', 'db/read', { sql: 'select $1', params: ['x'], consistency: 'strong' })
  await call('POST', 'db/read', { sql: 'select 1', consistency: 'session', minIndex: 4 })
  await call('GET', 'db/write/key~1')
  const { client } = (asked as [[string, { client: string }]])[0][1]
  t.match(client, /^[\w-]{12}$/)
  const ids = (asked as [string, { traceId?: string }][]).map(([, { traceId }]) => traceId)
  t.equal(new Set(ids).size, 4)
  const withId = (n: number, fields: object) => ({ ...fields, client, traceId: ids[n] })
  t.strictSame(asked, [
    ['readQ', withId(0, { sql: 'select 1', params: [] }), 10_000],
    ['strongQ', withId(1, { sql: 'select $1', params: ['x'] }), 10_000],
    ['readQ', withId(2, { sql: 'select 1', params: [], minIndex: 4 }), 10_000],
    ['strongQ', { outcomeOf: 'key~1' }, 10_000]
  ])
})

t.test('parameters reach the lane as they were sent', async t => {
  const { app, asked } = await server(t)
  const params = '[9007199254740993,1e400,-0,{"10":1,"9":1e400},[9007199254740993,null],1.5]'
  const exact = [
    ...['9007199254740993', '1e400', '-0', '{"10":1,"9":1e400}'],
    ...['{"9007199254740993",NULL}', 1.5]
  ]
  const headers = { 'content-type': 'application/json' }
  const send = (url: string, payload: string) =>
    app.inject({ method: 'POST', url: `/api/v1/${url}`, headers, payload })
  const sql = 'select $1, $2, $3, $4, $5, $6'
  await send('db/read', `{"sql":"${sql}","params":${params}}`)
  await send('db/explain', `{"params":${params},"sql":"${sql}"}`)
  await send('db/write', `{"statements":[{"sql":"select 1"},{"sql":"${sql}","params":${params}}]}`)
  const [read, explain] = asked as [unknown, { params: unknown }][]
  t.strictSame(read?.[1].params, exact)
  t.strictSame(explain?.[1].params, exact)
  const { statements } = (asked[2] as [{ statements: string }])[0]
  t.strictSame(JSON.parse(statements)[1].params, exact)
})

t.test('bad input is told as such, and reaches no lane', async t => {
  const { call, asked } = await server(t)
  const write = (statements: unknown, headers = {}) =>
    call('POST', 'db/write', { statements }, headers)
  const many = Array.from({ length: 1_001 }, () => ({ sql: 'select 1' }))
  const params = Array.from({ length: 65_536 }, () => 1)
  const replies = [
    await write([]),
    await write('x'),
    await write([{ sql: 7 }]),
    await write([{ sql: 'select 1', params: 'x' }]),
    await write([{ sql: 'select 1', expectRows: -1 }]),
    await write([{ sql: 'select 1', expected: 1 }]),
    await write(many),
    await write([{ sql: 'select 1', params }]),
    await write(INSERT.statements, { 'idempotency-key': 'two words' }),
    await write(INSERT.statements, { 'idempotency-key': 'x'.repeat(301) }),
    await write(INSERT.statements, { 'idempotency-key': '' }),
    await call('POST', 'db/read', {}),
    await call('POST', 'db/read', { sql: 'select 1', consistency: 'eventual' }),
    await call('POST', 'db/read', { sql: 'select 1', consistency: 'session' }),
    await call('POST', 'db/read', { sql: 'select 1', minIndex: -1 })
  ]
  for (const reply of replies) t.strictSame(codeOf(reply), [400, 'CONVOY_INVALID_REQUEST'])
  t.strictSame(codeOf(await write([{ sql: 'COMMIT' }])), [400, 'CONVOY_SQL_NOT_ALLOWED'])
  t.strictSame(codeOf(await call('POST', 'db/read', { sql: 'delete from t' })), [
    400,
    'CONVOY_SQL_NOT_ALLOWED'
  ])
  t.strictSame(codeOf(await call('DELETE', 'db/read')), [405, 'CONVOY_METHOD_NOT_ALLOWED'])
  t.strictSame(asked, [])
})

t.test('bad input is told in words', async t => {
  const { call } = await server(t)
  const messageOf = async (path: string, body: object) =>
    JSON.parse((await call('POST', path, body)).body).message
  t.equal(await messageOf('db/write', { statements: [] }), 'body.statements must not be empty')
  t.equal(
    await messageOf('db/read', { sql: 'select 1', consistency: 'eventual' }),
    'body.consistency must be one of: replica, session, strong'
  )
})

t.test('db/clear is a write of its own kind, with or without a body', async t => {
  const { call, asked } = await server(t, { body: '{"index":1}' })
  t.strictSame((await call('POST', 'db/clear')).body, '{}')
  const empty = await call('POST', 'db/clear', undefined, { 'content-type': 'application/json' })
  t.strictSame([empty.status, empty.body], [200, '{}'])
  t.match(asked[0], [{ statements: '[{"sql":"","params":[],"kind":"clear"}]' }])
})

t.test('with a token configured, database and admin calls need it', async t => {
  const { call } = await server(t, { env: { CONVOY_TOKEN: 'secret' } })
  const guarded = [
    await call('POST', 'db/read', { sql: 'select 1' }),
    await call('POST', 'db/clear'),
    await call('POST', 'crash/master'),
    await call('PUT', 'cluster/replicas', { count: 3 }),
    await call('POST', 'cluster/hosts', { name: 'two', url: 'tcp://two' }),
    await call('PUT', 'controls/log', { service: 'lb', level: 'info' }),
    await call('PUT', 'controls/workers', { connections: 3 }),
    await call('PUT', 'controls/lanes', { batch: 3 }),
    await call('POST', 'controls/freeze', { instance: 's' }),
    await call('POST', 'controls/start', { instance: 's' }),
    await call('POST', 'controls/disable', { operation: 'db.read' }),
    await call('POST', 'controls/enable', { operation: 'db.read' }),
    await call('POST', 'cluster/verify'),
    await call('POST', 'db/write', INSERT, { authorization: 'Bearer wrong' })
  ]
  for (const reply of guarded) t.strictSame(codeOf(reply), [401, 'CONVOY_UNAUTHORIZED'])
  const right = { authorization: 'Bearer secret' }
  t.equal((await call('POST', 'db/write', INSERT, right)).status, 200)
  t.equal((await call('GET', 'worker/list')).status, 200)
})

t.test('workers are listed by pid, and crashed as asked', async t => {
  const { call, killed } = await server(t)
  t.equal((await call('GET', 'worker/list')).body, '[1000,4330,9000,9999]')
  t.equal((await call('POST', 'crash/slave')).body, '["4330"]')
  t.equal((await call('POST', 'crash/master')).body, '["9000"]')
  t.strictSame(killed, ['s', 'm'])
  const empty = await server(t, { cluster: NOTHING_KNOWN })
  t.strictSame(codeOf(await empty.call('POST', 'crash/slave')), [409, 'CONVOY_NO_SUCH_WORKER'])
  t.strictSame(codeOf(await empty.call('POST', 'crash/master')), [409, 'CONVOY_NO_SUCH_WORKER'])
})

t.test('the cluster tells who leads, who counts, and how far each is', async t => {
  const { call } = await server(t)
  const cluster = JSON.parse((await call('GET', 'cluster')).body)
  t.match(cluster, { term: 3, master: 'm', inSync: ['m', 'r', 's'], commitIndex: 7 })
  t.strictSame(
    cluster.workers.map((one: { id: string; lag: number }) => [one.id, one.lag]),
    [
      ['m', 0],
      ['s', 2],
      ['r', 0],
      ['j', 0]
    ]
  )
})

t.test('the cluster tells how many replicas are wanted, why, and what comes next', async t => {
  const scaling = decidedByWindow({ from: 2, to: 4, reason: '61 reads', reads: 7 })
  const { call } = await server(t, { cluster: { ...CLUSTER, scaling } })
  const { replicas, policy } = JSON.parse((await call('GET', 'cluster')).body)
  t.strictSame(replicas, { count: null, min: 2, max: 5, wanted: 4, actual: 2 })
  t.strictSame(policy, {
    ...{ kind: 'window', windowS: 120, readsPerReplica: 20, readsPerS: 100, coolDownS: 30 },
    ...{ rule: 'the rule', decision: scaling.decision, reads: 7, next: '2026-11-22T06:02:00.000Z' }
  })
})

t.test('the knobs of scaling answer with the new settings', async t => {
  const { call, changes } = await server(t)
  const put = async (knob: string, body: object) =>
    JSON.parse((await call('PUT', `cluster/${knob}`, body)).body)
  t.match(await put('replicas', { count: 3 }), {
    replicas: { count: 3, min: 2, max: 5 },
    policy: { kind: 'fixed' }
  })
  t.match(await put('replicas', { min: 1, max: 9 }), { replicas: { count: null, min: 1, max: 9 } })
  t.match(await put('policy', { kind: 'window', windowS: 5 }), {
    policy: { kind: 'window', windowS: 5, readsPerReplica: 20 }
  })
  await put('policy', { kind: 'fixed' })
  t.strictSame(changes, [
    { policy: 'fixed', count: 3 },
    { min: 1, max: 9 },
    { policy: 'window', windowS: 5 },
    { policy: 'fixed', count: 4 }
  ])
})

t.test('knobs that are turned too far change nothing', async t => {
  const { call, changes } = await server(t)
  const wrong: [string, object][] = [
    ['replicas', {}],
    ['replicas', { count: 0 }],
    ['replicas', { count: 51 }],
    ['replicas', { count: 2.5 }],
    ['replicas', { count: '3' }],
    ['replicas', { min: 3, max: 2 }],
    ['replicas', { min: 3 }],
    ['replicas', { count: 3, min: 1, max: 5 }],
    ['replicas', { wanted: 3 }],
    ['policy', {}],
    ['policy', { kind: 'magic' }],
    ['policy', { kind: 'window', windowS: 0 }],
    ['policy', { kind: 'rate', readsPerS: -1 }]
  ]
  for (const [knob, body] of wrong) {
    const reply = await call('PUT', `cluster/${knob}`, body)
    t.strictSame(codeOf(reply), [400, 'CONVOY_INVALID_REQUEST'], JSON.stringify(body))
  }
  t.strictSame(changes, [])
})

t.test('reads of every consistency are counted for scaling, refused ones are not', async t => {
  const { call, reads } = await server(t)
  await call('POST', 'db/read', { sql: 'select 1' })
  await call('POST', 'db/read', { sql: 'select 1', consistency: 'strong' })
  await call('POST', 'db/read', { sql: 'delete from t' })
  await call('POST', 'db/write', INSERT)
  await call('GET', 'db/write/key~1')
  t.equal(reads(), 2)
})

const VERIFIED: Verified = {
  index: 7,
  tables: [{ table: 't', rows: '2', sum: '-1:1' }],
  objects: { rows: 1, index: 1 },
  workers: [
    { id: 'm', pid: 9000, equal: true, verdict: 'equal', differing: [] },
    { id: 's', pid: 4330, equal: false, verdict: 'wrong', differing: ['t'] }
  ],
  leftOut: [{ id: 'j', why: 'it is not in sync' }],
  skipped: [],
  trusted: null
}

t.test('verify waits for its end for a while, and is asked about again', async t => {
  const looks: (Looked | null)[] = [
    null,
    { kind: 'running', running: { id: '1', parts: 3, tablesLeft: 2 } },
    { kind: 'done', verified: VERIFIED }
  ]
  const begun: unknown[] = []
  const { call } = await server(t, {
    verifications: {
      begin: (how: unknown) => begun.push(how),
      look: async () => looks.shift() ?? null
    } as unknown as Verifications
  })
  t.strictSame(codeOf(await call('GET', 'cluster/verify')), [404, 'CONVOY_NOT_FOUND'])
  const first = await call('POST', 'cluster/verify')
  t.strictSame([first.status, JSON.parse(first.body)], [202, { id: '1', parts: 3, tablesLeft: 2 }])
  const then = await call('GET', 'cluster/verify')
  t.strictSame([then.status, JSON.parse(then.body)], [200, VERIFIED])
  looks.push({ kind: 'done', verified: VERIFIED })
  t.equal((await call('POST', 'cluster/verify', { trust: 's' })).status, 200)
  t.match(begun, [{ trusted: null }, { trusted: 's' }])
  t.equal((await call('POST', 'cluster/verify', { trust: 7 })).status, 400)
  t.equal((await call('POST', 'cluster/verify', { other: 1 })).status, 400)
})

t.test('the description names what every call answers, and asks for the token', async t => {
  const { app } = await server(t)
  const { paths, components } = (await app.inject('/docs/json')).json()
  t.strictSame(Object.keys(components.securitySchemes), ['bearer'])
  const write = paths['/api/v1/db/write'].post
  t.match(write, { security: [{ bearer: ['write'] }], parameters: [{ name: 'idempotency-key' }] })
  const statuses = ['200', '400', '401', '403', '409', '413', '415', '422', '500', '503', '504']
  t.strictSame(Object.keys(write.responses), statuses)
  const silent = Object.keys(paths).filter(
    path => path.startsWith('/api/') && JSON.stringify(paths[path]).includes('Default Response')
  )
  t.strictSame(silent, [])
})

t.test('the examples of the description are admitted', async t => {
  const { app, call } = await server(t)
  const { paths } = (await app.inject('/docs/json')).json()
  const contentOf = (path: string) =>
    paths[`/api/v1/${path}`].post.requestBody.content['application/json']
  const { example1: create, example2: insert } = contentOf('db/write').examples
  for (const { value } of [create, insert]) {
    t.equal((await call('POST', 'db/write', value)).status, 200)
  }
  t.equal((await call('POST', 'db/read', contentOf('db/read').example)).status, 200)
})

t.test('ready needs a master and enough copies, and says what is missing', async t => {
  const { app } = await server(t)
  const ready = await app.inject('/readyz')
  t.equal(ready.statusCode, 200)
  t.strictSame(ready.json(), { ready: true, missing: [] })
  const { app: unknown } = await server(t, { cluster: NOTHING_KNOWN })
  t.equal((await unknown.inject('/readyz')).statusCode, 503)
  const alone = { ...CLUSTER, workers: new Map([...CLUSTER.workers].slice(0, 1)) }
  const { app: waits } = await server(t, { cluster: alone })
  const reply = await waits.inject('/readyz')
  t.equal(reply.statusCode, 503)
  t.match(reply.json(), {
    ready: false,
    missing: [/1 of at least 2 in-sync workers/],
    reasons: [{ code: 'tooFewCopies', message: /1 of at least 2 in-sync workers/ }]
  })
  const { payload } = await waits.inject('/metrics')
  t.match(payload, 'convoy_writes_obstructed{why="tooFewCopies"} 1')
  t.match(payload, 'convoy_writes_obstructed{why="noMaster"} 0')
})

t.test('a handover tells who leads now, or why nobody could take over', async t => {
  const { call } = await server(t)
  const { status, body } = await call('POST', 'cluster/handover')
  t.strictSame([status, JSON.parse(body)], [200, { term: 4, master: 's', pid: 4330 }])
  const alone = { ...CLUSTER, state: { clusterId: 'c', term: 3, master: 'm', inSync: ['m'] } }
  const refused = await (await server(t, { cluster: alone })).call('POST', 'cluster/handover')
  t.strictSame(codeOf(refused), [409, 'CONVOY_NO_SUCCESSOR'])
})

t.test('while large requests fill the room, further ones are refused unread', async t => {
  const { app } = await server(t, { room: 0 })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const write = (sql: string) =>
    fetch(`${url}/api/v1/db/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ statements: [{ sql, params: ['x'.repeat(4_000_000)] }] })
    })
  // Its body does not end.
  const open = request(`${url}/api/v1/db/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 1_000_000 }
  })
  open.on('error', () => {})
  open.write('{')
  for (let refused = false; !refused; ) {
    const reply = await write('insert into t (v) values ($1)')
    refused = reply.status === 503
    if (!refused) continue
    t.equal(reply.headers.get('retry-after'), '1')
    t.match(await reply.json(), { code: 'CONVOY_OVERLOADED' })
  }
  const small = await app.inject({
    method: 'POST',
    url: '/api/v1/db/write',
    payload: { statements: [{ sql: 'insert into t (v) values (1)' }] }
  })
  t.equal(small.statusCode, 200, 'small ones are taken')
  open.destroy()
  for (let taken = false; !taken; ) {
    taken = (await write('insert into t (v) values ($1)')).status === 200
  }
})
