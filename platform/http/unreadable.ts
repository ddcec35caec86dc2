/**
 * What is sent on a connection and is no HTTP request: it reaches no route, and is
 * answered with the same body as any other error. The connection ends with it.
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long a client may go on sending what is thrown away. */
const REST_MS = 10_000

export interface SocketRefusal {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The last on each connection. */
const last = new WeakMap<Duplex, Exchange>()

/** So that what comes behind a request is not answered in its place. */
export function watchRequests(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    last.set(request.socket, { request, response })
  })
}

export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  // Once for what comes first; what comes after it is the rest, and is not read.
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const { request, response } = last.get(socket) ?? {}
  const refuse = () => refuseOn(socket, refusalOf(error))
  if (request === undefined || response === undefined) refuse()
  else if (!request.complete) {
    // Its body is broken. Once answered, or behind others that are not, there is no more to say.
    if (response.headersSent || response.socket === null) socket.destroySoon()
    else refuse()
  } else if (response.writableFinished) refuse()
  else response.once('close', () => socket.writable && refuse())
}

/** Past node's own answers, of which there is none here. */
export function refuseOn(socket: Socket, { status, code, message, headers }: SocketRefusal): void {
  const body = JSON.stringify({ code, message })
  // Not destroyed at once: a client that still sends would lose the answer.
  const giveUp = setTimeout(() => socket.destroy(), REST_MS).unref()
  socket.once('close', () => clearTimeout(giveUp))
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
      'connection: close',
      `\r\n${body}`
    ].join('\r\n')
  )
}

function refusalOf({ code, message }: NodeJS.ErrnoException): SocketRefusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const told = 'the path and the headers are together longer than 16 KiB'
    return { status: 431, code: 'CONVOY_HEADERS_TOO_LARGE', message: told }
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const told = 'the request did not come in time'
    return { status: 408, code: 'CONVOY_REQUEST_TIMEOUT', message: told }
  }
  const why = message.replace(/^Parse Error: /, '')
  return { status: 400, code: 'CONVOY_INVALID_REQUEST', message: `not an HTTP request: ${why}` }
}
