/**
 * JSON bodies, read strictly: what is no UTF-8 would be changed in reading, so it is refused.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import {
  BodyTooLargeError,
  InvalidRequestError,
  UnsupportedMediaTypeError
} from '../../wire/errors.ts'
import type { Http } from './instance.ts'

/**
 * What may stand in a body beside its bytes: each value counts, an array, an object or a key
 * as four. Reading and writing so many takes 40 to 80 ms; 16 MB of `[],[],` take 4 s.
 */
export const VALUES_MAX = 250_000

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
const UTF8 = /^(utf-?8|us-ascii)$/i

type Done = (error: Error | null, body?: unknown) => void

/** @param parse of a body that is not empty; an empty one is none, whatever its type */
export function takeJson(
  app: Http,
  parse: (request: FastifyRequest, text: string, done: Done) => void
): void {
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined)
    let text: string
    try {
      text = textOf(body as Buffer, request.headers)
    } catch (error) {
      return done(error as Error)
    }
    parse(request, text, done)
  })
}

/** @throws UnsupportedMediaTypeError, InvalidRequestError */
export function textOf(bytes: Buffer, headers: IncomingHttpHeaders): string {
  const charset = CHARSET.exec(headers['content-type'] ?? '')?.[1]
  if (charset !== undefined && !UTF8.test(charset)) {
    throw new UnsupportedMediaTypeError(`bodies are UTF-8, not ${charset}`)
  }
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaTypeError(`bodies are not compressed, as by ${encoding}`)
  }
  if (hasTooMany(bytes)) {
    throw new BodyTooLargeError(
      `the body holds more than ${VALUES_MAX} values, an array, object or key counted as four`
    )
  }
  if (!isUtf8(bytes)) throw new InvalidRequestError('the body is no UTF-8')
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', hasMark ? 3 : 0)
}

function hasTooMany(bytes: Buffer): boolean {
  if (bytes.length * 4 <= VALUES_MAX) return false
  let values = 0
  let isText = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === 0x22) isText = !isText
    else if (isText) {
      if (byte === 0x5c) i += 1
    } else if (byte === 0x2c) values += 1
    else if (byte === 0x5b || byte === 0x7b || byte === 0x3a) values += 4
    if (values > VALUES_MAX) return true
  }
  return false
}
