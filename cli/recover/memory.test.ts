import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Missing } from '../../orchestrator/stuck.ts'
import { Orchestrators } from '../orchestrator.ts'
import { remembered } from './memory.ts'

const TOKEN = 'may-read'
const AWAY = 'http://127.0.0.1:9'

const gone = (id: string, index: number | null): Missing => ({
  id,
  goneForMs: 12_000,
  last: index === null ? null : { index, term: 3 }
})

/** An orchestrator that tells who is missing to whoever has the token. */
async function telling(t: Test, ...missing: readonly Missing[]): Promise<string> {
  const server = createServer(({ headers }, reply) => {
    const mayRead = headers.authorization === `Bearer ${TOKEN}`
    reply.statusCode = mayRead ? 200 : 401
    const refusal = { code: 'CONVOY_UNAUTHORIZED', message: 'no token' }
    reply.end(JSON.stringify(mayRead ? { stuck: { missing } } : refusal))
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const each = (urls: readonly string[], token?: string) =>
  urls.map(url => new Orchestrators({ urls: [url], token }))

t.test('all are asked, and of each worker that counts which was seen furthest', async t => {
  const urls = [
    await telling(t, gone('a', null), gone('b', 90)),
    await telling(t, gone('a', 1_100), gone('b', 100)),
    await telling(t, gone('a', null), gone('b', 80), gone('c', null))
  ]
  const { missing, unasked } = await remembered(each(urls, TOKEN))
  t.strictSame([...missing.values()], [gone('a', 1_100), gone('b', 100), gone('c', null)])
  t.strictSame(unasked, [])
})

t.test('who does not tell is named, with the reason', async t => {
  const url = await telling(t, gone('a', 1_100))
  const refused = await remembered(each([url]))
  t.equal(refused.missing.size, 0)
  t.match(refused.unasked, [/no token \(CONVOY_UNAUTHORIZED\); set CONVOY_TOKEN/])
  const { missing, unasked } = await remembered(each([AWAY, url], TOKEN))
  t.strictSame([...missing.keys()], ['a'])
  t.match(unasked, [/127\.0\.0\.1:9: .*ECONNREFUSED/])
  t.match((await remembered([])).unasked, ['none is known to run'])
})
