/**
 * The id of a write: the caller's Idempotency-Key, or a fresh one that nobody else
 * can have used.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { InvalidRequestError } from '../../wire/errors.ts'

/** Room for what services put around a caller's own key of up to 200. */
const KEY = /^[\x21-\x7e]{1,300}$/

export function requestIdOf(headers: IncomingHttpHeaders) {
  const key = headers['idempotency-key']
  if (key === undefined) return { requestId: randomUUID(), mayRepeat: false }
  return { requestId: checkedRequestId(key), mayRepeat: true }
}

/** @throws InvalidRequestError */
export function checkedRequestId(id: string | string[]): string {
  if (typeof id === 'string' && KEY.test(id)) return id
  throw new InvalidRequestError('a request id has 1 to 300 visible ASCII characters')
}
