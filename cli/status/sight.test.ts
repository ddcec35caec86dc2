import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Orchestrators } from '../orchestrator.ts'
import { EXIT } from '../outcome.ts'
import { sights } from './sight.ts'

const FIRST =
  'event: history\ndata: {"samples":{},"timeline":[]}\n\nevent: cluster\ndata: {"cluster":{}}\n\n'

t.test('one that stands still is not looked at for long', async t => {
  const server = createServer((_request, reply) => reply.write(FIRST))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const seen: unknown[] = []
  const look = async () => {
    const ended = AbortSignal.timeout(20_000)
    for await (const sight of sights(new Orchestrators({ urls: [url] }), ended, 300)) {
      seen.push(sight.happenings)
    }
  }
  await t.rejects(look(), {
    exitCode: EXIT.unreachable,
    message: 'the orchestrator tells nothing any more: UND_ERR_BODY_TIMEOUT'
  })
  t.strictSame(seen, [[]])
})
