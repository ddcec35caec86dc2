/**
 * A server of a test's own, for what can go wrong between a client and an orchestrator.
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { CALLS_PATH } from '../wire/calls.ts'

/** One that takes no calls over one connection, ended with `t`. @returns its address */
export async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === CALLS_PATH) response.writeHead(404).end()
    else listener(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
