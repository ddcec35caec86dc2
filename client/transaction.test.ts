import t, { type Test } from 'tap'
import { serve } from '../testing/fixtures/http-server.ts'
import { connect, ExpectationError } from './client.ts'

/** A counter behind db/read and db/write, as an orchestrator would answer. */
async function counter(t: Test, others = 0) {
  const state = { value: 0, writes: [] as string[], done: new Map<string, [number, string]>() }
  let meddling = others
  const url = await serve(t, async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const reply = (status: number, body: unknown) =>
      response.writeHead(status).end(JSON.stringify(body))
    const id = String(request.headers['idempotency-key'] ?? request.url?.split('/').at(-1))
    if (request.url === '/api/v1/db/read') return reply(200, { index: 1, rows: [state] })
    if (request.method === 'GET') {
      const [status, body] = state.done.get(id) ?? [404, '{}']
      return reply(status, JSON.parse(body))
    }
    const { params } = JSON.parse(text).statements[0] as { params: [number, number] }
    const again = state.done.get(id)
    if (again) return reply(422, { code: 'CONVOY_REQUEST_ID_REUSED', message: 'reused' })
    if (meddling-- > 0) state.value += 100
    state.writes.push(id)
    const met = params[1] === state.value
    if (met) state.value = params[0]
    const body = met
      ? { requestId: id, index: 2, results: [] }
      : { code: 'CONVOY_EXPECTATION_FAILED', message: 'not met', statement: 0 }
    state.done.set(id, [met ? 200 : 409, JSON.stringify(body)])
    return reply(met ? 200 : 409, body)
  })
  const db = connect({ url })
  t.teardown(() => db[Symbol.asyncDispose]())
  const increment = (options = {}) =>
    db.transaction(async read => {
      const { rows } = await read<{ value: number }>({ sql: 'select value from counter' })
      const value = rows[0]?.value ?? 0
      const sql = 'update counter set value = $1 where value = $2'
      return [{ sql, params: [value + 1, value], expectRows: 1 }]
    }, options)
  return { db, state, increment }
}

t.test('what was read and changed meanwhile is read again', async t => {
  const { state, increment } = await counter(t, 2)
  t.match(await increment({ requestId: 'k' }), { requestId: 'k.3' })
  t.strictSame([state.value, state.writes], [201, ['k.1', 'k.2', 'k.3']])
})

t.test('it does not go on forever', async t => {
  const { state, increment } = await counter(t, 1_000)
  await t.rejects(increment(), ExpectationError)
  t.equal(state.writes.length, 10)
})

t.test('the same transaction again is done once, whatever it decides then', async t => {
  const { db, state, increment } = await counter(t, 1)
  await increment({ requestId: 'k' })
  t.match(await increment({ requestId: 'k' }), { requestId: 'k.2' })
  t.equal(state.value, 101)
  t.match(await db.transaction(async () => [], { requestId: 'k' }), { requestId: 'k.2' })
})

t.test('nothing to write is nothing written', async t => {
  const { db, state } = await counter(t)
  t.equal(await db.transaction(async () => []), undefined)
  t.equal(state.writes.length, 0)
})
