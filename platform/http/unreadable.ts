/**
 * What is sent on a connection and is no HTTP request: it reaches no route, and is
 * answered with the same body as any other error. The connection ends with it.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

/** How long a client may go on sending what is thrown away. */
const REST_MS = 10_000

export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  // Once for what comes first; what comes after it is the rest, and is not read.
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const { status, code, message } = refusalOf(error)
  const body = JSON.stringify({ code, message })
  // Not destroyed at once: a client that still sends would lose the answer.
  const giveUp = setTimeout(() => socket.destroy(), REST_MS).unref()
  socket.once('close', () => clearTimeout(giveUp))
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      `\r\n${body}`
    ].join('\r\n')
  )
}

function refusalOf({ code, message }: NodeJS.ErrnoException) {
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
