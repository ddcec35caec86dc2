/**
 * A worker's only HTTP server: `GET /metrics`, for Prometheus. A port that is taken is no
 * reason to have one worker less: it then tells no figures, and says so.
 */
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { answerEdges, EDGES, pathOf, refusalOf } from '../platform/http/edges.ts'
import { answerUnreadable } from '../platform/http/unreadable.ts'
import type { Logger } from '../platform/log.ts'
import type { Certificate } from '../platform/security/tls.ts'
import { MethodNotAllowedError, NotFoundError, type ServiceError } from '../wire/errors.ts'

/** As of the other servers. */
const HEAD_WITHIN_MS = 15_000
const ALLOWED = new Set(['GET', 'HEAD'])

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
  const server = certificate
    ? createTlsServer({ ...EDGES, ...certificate }, answer)
    : createServer(EDGES, answer)
  server.headersTimeout = HEAD_WITHIN_MS
  server.on('clientError', answerUnreadable)
  answerEdges(server)
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
    const refused = refusalOf(request) ?? refusalOfPath(request)
    if (refused !== null) return refuse(response, refused)
    registry.metrics().then(
      text => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (err: unknown) => {
        log.error({ err }, 'metrics could not be told')
        refuse(response, { statusCode: 500, code: 'CONVOY_INTERNAL', message: 'internal error' })
      }
    )
  }
}

function refusalOfPath(request: IncomingMessage): ServiceError | null {
  if (pathOf(request).split('?', 1)[0] !== '/metrics') return new NotFoundError()
  const { method = '' } = request
  return ALLOWED.has(method) ? null : new MethodNotAllowedError(method, ALLOWED)
}

function refuse(
  response: ServerResponse,
  error: Pick<ServiceError, 'code' | 'message' | 'statusCode'>
): void {
  const { code, message, statusCode } = error
  if (error instanceof MethodNotAllowedError) response.setHeader('allow', error.allow)
  const body = JSON.stringify({ code, message })
  response.writeHead(statusCode, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body)
  })
  response.end(body)
}
