import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { happenings } from './happenings.ts'

const LEADERLESS = { type: 'leaderless', term: 3 }
const EVENT = `event: leaderless\ndata: ${JSON.stringify(LEADERLESS)}\n\n`
const PATIENCE = { answerMs: 300, silentMs: 300 }

async function urlOf(t: Test, server: Server): Promise<string> {
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('from one that stands still, before or after it began, the next one takes over', async t => {
  const never = await urlOf(t, createServer())
  const noMore = await urlOf(
    t,
    createServer((_request, reply) => reply.write(': connected\n\n'))
  )
  const tells = await urlOf(
    t,
    createServer((_request, reply) => reply.write(EVENT))
  )
  const ended = AbortSignal.timeout(20_000)
  const told = happenings({ urls: [never, noMore, tells], ended, patience: PATIENCE })
  t.strictSame((await told.next()).value, LEADERLESS)
  await told.return(undefined)
})
