import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { CallStream } from '../../client/call-stream.ts'
import { openHttp } from '../../platform/http.ts'
import { openLog } from '../../platform/log.ts'
import { Tokens } from '../../platform/security/tokens.ts'
import { OverloadedError } from '../../wire/errors.ts'
import { openAdmission } from '../admission/admission.ts'
import { openParser } from '../admission/parser.ts'
import { callsRoute } from './db-calls.ts'

const admission = openAdmission(await openParser())
const READ = '/api/v1/db/read'
const WRITE = '/api/v1/db/write'

type Dispatched = (...asked: unknown[]) => Promise<{ status: number; body: Buffer }>

/** A server whose lanes are `dispatched`, and calls to it over one connection. */
async function server(t: Test, dispatched: Dispatched, token = 'right') {
  const metrics = new Registry()
  const app = await openHttp({
    service: 'test',
    title: 'test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics,
    bodyLimit: 1024,
    tokens: new Tokens([{ token: 'right', role: 'write', name: 'test' }], { forViews: false }),
    missing: () => []
  })
  const dispatch = { read: dispatched, write: dispatched }
  const writes = { admission, dispatch, deadlineMs: 1_000 }
  await app.register(callsRoute, { writes, reads: { ...writes, onRead: () => {} }, metrics })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const stream = new CallStream(origin, { authorization: `Bearer ${token}` })
  t.teardown(async () => {
    stream.destroy()
    await app.close()
  })
  const call = async (path: string, body: unknown, headers = {}) => {
    const outcome = await stream.send({ path, headers, body: JSON.stringify(body) }, 5_000)
    if (outcome.kind === 'failed') throw outcome.cause
    return outcome
  }
  return { app, metrics, call }
}

const answers = (text: string, status = 200) => ({ status, body: Buffer.from(text) })

t.test('reads and writes go to the lanes as those that come alone', async t => {
  const asked: unknown[] = []
  const { call, metrics } = await server(t, async (...args) => {
    asked.push(args)
    return answers('{"rows":["é"]}')
  })
  const read = { sql: 'select $1::text', params: ['x'], consistency: 'session', minIndex: 4 }
  t.match(await call(READ, read), { status: 200, text: '{"rows":["é"]}' })
  const statements = [{ sql: 'insert into t values ($1)', params: [1] }]
  t.match(await call(WRITE, { statements }, { 'idempotency-key': 'k' }), { status: 200 })
  t.match(asked, [
    ['readQ', { sql: read.sql, params: ['x'], minIndex: 4 }, 1_000],
    [
      {
        requestId: 'k',
        mayRepeat: true,
        commandHash: (await admission.write(statements)).commandHash
      }
    ]
  ])
  t.match(
    await metrics.metrics(),
    /convoy_http_request_seconds_count{method="POST",route="\/api\/v1\/db\/read",status="200"} 1/
  )
})

t.test('a call is refused alone, with the words of one that comes alone', async t => {
  const { call } = await server(t, async () => {
    throw new OverloadedError('too many reads wait')
  })
  const refused = async (path: string, body: unknown) => {
    const { status, text, retryAfterS } = await call(path, body)
    return [status, JSON.parse(text), retryAfterS]
  }
  t.match(await refused(READ, { sql: 1 }), [
    ...[400, { code: 'CONVOY_INVALID_REQUEST', message: 'body.sql must be string' }]
  ])
  t.match(await refused(READ, { sql: 'drop table t' }), [400])
  t.match(await refused('/api/v1/nothing', {}), [404, { code: 'CONVOY_NOT_FOUND' }])
  t.match(await refused(READ, { sql: 'select 1' }), [503, { code: 'CONVOY_OVERLOADED' }, 1])
})

t.test('a slow call holds up no other, and is answered before the server closes', async t => {
  const slow = Promise.withResolvers<{ status: number; body: Buffer }>()
  let n = 0
  const { app, call } = await server(t, async () => (n++ === 0 ? slow.promise : answers('{}')))
  const first = call(READ, { sql: 'select 1' })
  t.match(await call(READ, { sql: 'select 2' }), { text: '{}' })
  const closed = app.close()
  slow.resolve(answers('{"late":true}'))
  t.match(await first, { status: 200, text: '{"late":true}' })
  await closed
})

t.test('the connection needs the token', async t => {
  const { call } = await server(t, async () => answers('{}'), 'wrong')
  await t.rejects(call(READ, { sql: 'select 1' }), /takes no calls/)
})

t.test('what is no call ends the connection', async t => {
  const { app } = await server(t, async () => answers('{}'))
  const { port } = app.server.address() as AddressInfo
  const sent = fetch(`http://127.0.0.1:${port}/api/v1/db/calls`, {
    method: 'POST',
    headers: { authorization: 'Bearer right', 'content-type': 'application/x-ndjson' },
    body: 'nonsense\n'
  })
  await t.rejects(sent.then(answer => answer.text()))
})
