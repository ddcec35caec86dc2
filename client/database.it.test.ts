import type { IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { serve } from '../testing/fixtures/http-server.ts'
import { openDatabase } from './database.ts'
import { DatabaseUnavailableError, UnknownOutcomeError } from './errors.ts'
import { Targets } from './targets.ts'

const open = (t: Test, ...urls: string[]) => {
  const db = openDatabase({ targets: new Targets(urls), token: undefined })
  t.teardown(() => db[Symbol.asyncDispose]())
  return db
}

/** A fraction on purpose: that is what the clock gives. */
const within = (ms: number) => ({ deadlineAt: performance.now() + ms + 0.5 })

const DONE = JSON.stringify({ requestId: 'w1', index: 7, term: 1, results: [] })
const STATEMENTS = [{ sql: 'select 1' }]
const CLOSED = 'http://127.0.0.1:1'

t.test('a write keeps its request id until an orchestrator answers', async t => {
  const seen: (string | string[] | undefined)[] = []
  const url = await serve(t, (request, response) => {
    seen.push(request.headers['idempotency-key'])
    if (seen.length === 1) request.socket.destroy()
    else if (seen.length === 2) response.writeHead(503, { 'retry-after': '0' }).end('{}')
    else if (seen.length === 3) response.writeHead(504).end('{}')
    else response.end(DONE)
  })
  const db = open(t, url)
  const answer = await db.write(STATEMENTS, { requestId: 'w1', ...within(5_000) })
  t.equal(answer.index, 7)
  t.equal(db.lastIndex, 7)
  t.strictSame(seen, ['w1', 'w1', 'w1', 'w1'])
})

t.test('another orchestrator is asked when one is gone', async t => {
  const url = await serve(t, (_request, response) => response.end(DONE))
  const db = open(t, CLOSED, url)
  await t.resolves(db.write(STATEMENTS, { requestId: 'w1', ...within(5_000) }))
})

t.test('of a write that nobody took it is known that it did not happen', async t => {
  const write = open(t, CLOSED).write(STATEMENTS, { requestId: 'w1', ...within(100) })
  await t.rejects(write, DatabaseUnavailableError)
})

t.test('of a write without an answer it is unknown, and its id is told', async t => {
  const url = await serve(t, () => {})
  const write = open(t, url).write(STATEMENTS, { requestId: 'w1', ...within(100) })
  const err = await write.then(
    () => undefined,
    (cause: unknown) => cause
  )
  t.type(err, UnknownOutcomeError)
  t.strictSame((err as UnknownOutcomeError).details, { requestId: 'w1' })
})

t.test('a session read asks for what this client has seen', async t => {
  const asked: { consistency?: string; minIndex?: number }[] = []
  const url = await serve(t, async (request, response) => {
    asked.push(JSON.parse(await textOf(request)))
    response.end(JSON.stringify({ index: 9, rows: [] }))
  })
  const db = open(t, url)
  await db.read({ sql: 'select 1', consistency: 'strong' })
  await db.read({ sql: 'select 1' })
  t.strictSame(
    asked.map(({ consistency, minIndex }) => ({ consistency, minIndex })),
    [
      { consistency: 'strong', minIndex: undefined },
      { consistency: 'session', minIndex: 9 }
    ]
  )
})

t.test('a cluster that was recovered to an earlier state is read from there', async t => {
  const indexes = [9, undefined, 3]
  const url = await serve(t, (_request, response) => {
    const index = indexes.shift()
    if (index === undefined) response.writeHead(400).end('{"code":"CONVOY_INDEX_UNKNOWN"}')
    else response.end(JSON.stringify({ index, rows: [] }))
  })
  const db = open(t, url)
  await db.read({ sql: 'select 1' })
  t.equal((await db.read({ sql: 'select 1' })).index, 3)
  t.equal(db.lastIndex, 3)
})

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
