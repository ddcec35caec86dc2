/**
 * What HTTP leaves to a server and node answers without a body, or not at all: several Host
 * fields or none, expectations, CONNECT, whole URLs as request targets. Every server of
 * Convoy answers these alike, with the one error body.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { InvalidRequestError, MethodNotAllowedError, type ServiceError } from '../../wire/errors.ts'
import { refuseOn, watchRequests } from './unreadable.ts'

/** For node's servers: a request without a Host field is refused here, with a body. */
export const EDGES = { requireHostHeader: false } as const

const METHODS = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'])
/** `host`, `host:port`, `[::1]:port` (RFC 9110, 7.2); empty where the target has no authority. */
const HOST = /^(\[[\d.:a-f]+\]|[^\s"#%,/:<>?@[\\\]^`{|}]*)(:\d{0,5})?$/i
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i

export function answerEdges(server: Server): void {
  watchRequests(server)
  // 16 KiB of headers are the bound; beyond a count node drops some without a word.
  server.maxHeadersCount = 0
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.stringify({
      code: 'CONVOY_EXPECTATION_UNKNOWN',
      message: 'no expectation is known here but 100-continue'
    })
    const length = Buffer.byteLength(body)
    response.writeHead(417, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': length,
      connection: 'close' // its body may come or not
    })
    response.end(body)
  })
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy())
    const { code, message, allow } = new MethodNotAllowedError('CONNECT', METHODS)
    refuseOn(socket, { status: 405, code, message, headers: { allow } })
  })
}

/** Before anything else is done with a request. */
export const refusalOf = (request: IncomingMessage): ServiceError | null =>
  refusalOfHost(request) ?? refusalOfQuery(request)

/** Bytes that are no UTF-8 would become others; a path is looked at by the router. */
function refusalOfQuery({ url = '' }: IncomingMessage): ServiceError | null {
  const begins = url.indexOf('?')
  if (begins === -1 || !url.includes('%', begins)) return null
  try {
    decodeURIComponent(url.slice(begins))
    return null
  } catch {
    return new InvalidRequestError('the query holds bytes that are no UTF-8')
  }
}

/** RFC 9112, 3.2. */
function refusalOfHost({ httpVersion, rawHeaders }: IncomingMessage): ServiceError | null {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    hosts += 1
    if (hosts > 1) return new InvalidRequestError('the request has several Host fields')
    if (!HOST.test(rawHeaders[i + 1] as string)) {
      return new InvalidRequestError('the Host field names no host')
    }
  }
  if (hosts === 0 && httpVersion !== '1.0') {
    return new InvalidRequestError('the request has no Host field')
  }
  return null
}

/** The path of a request whose target is a whole URL, which then counts for the Host (3.2.2). */
export function pathOf(request: IncomingMessage): string {
  const { url = '/' } = request
  if (url.startsWith('/')) return url
  const absolute = ABSOLUTE.exec(url)
  if (absolute === null) return url
  const [, host = '', path = ''] = absolute
  request.headers.host = host
  return path.startsWith('/') ? path : `/${path}`
}
