/**
 * The id under which a request appears in the log lines of every process on its way:
 * the caller's `x-request-id` if it is sane, else one made here.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export const REQUEST_ID = 'x-request-id'

/** Up to 100 visible ASCII characters: it goes into logs and headers as it is. */
const SANE = /^[\x21-\x7e]{1,100}$/

/** Ids of this process: random once, then counted, for randomness costs more than the rest. */
const prefix = randomBytes(6).toString('base64url')
let made = 0

export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers[REQUEST_ID]
  if (typeof given === 'string' && SANE.test(given)) return given
  made += 1
  return `${prefix}-${made.toString(36)}`
}
