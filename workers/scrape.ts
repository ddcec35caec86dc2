/**
 * A worker's only HTTP server: `GET /metrics`, for Prometheus. A port that is taken is no
 * reason to have one worker less: it then tells no figures, and says so.
 */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import type { Logger } from '../platform/log.ts'
import type { Certificate } from '../platform/security/tls.ts'

export interface Scrape extends AsyncDisposable {
  /** Undefined where it does not listen. */
  readonly address: string | undefined
}

export async function listenToScrapes(options: {
  readonly registry: Registry
  readonly host: string
  readonly port: number
  readonly certificate: Certificate | undefined
  readonly log: Logger
}): Promise<Scrape> {
  const { registry, host, port, certificate, log } = options
  const answer = answering(registry, log)
  const server = certificate ? createTlsServer(certificate, answer) : createServer(answer)
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (err) {
    log.warn({ err, host, port }, 'metrics are not told')
    return { address: undefined, async [Symbol.asyncDispose]() {} }
  }
  const { port: taken } = server.address() as AddressInfo
  return {
    address: `${certificate ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    }
  }
}

function answering(registry: Registry, log: Logger): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    registry.metrics().then(
      text => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (err: unknown) => {
        log.error({ err }, 'metrics could not be told')
        response.writeHead(500).end()
      }
    )
  }
}
