/**
 * Under which key the log finds a request id: the id itself, or a digest of a long
 * one, for an index takes no more than 2,704 bytes.
 */
import { hash } from 'node:crypto'

const PLAIN_LENGTH_MAX = 120
/** Name of the constraint that keeps an id from being executed twice. */
export const REQUEST_KEY = 'log_request_key_key'

export function keyOf(requestId: string): string {
  if (requestId.length <= PLAIN_LENGTH_MAX) return `=${requestId}`
  return `#${hash('sha256', requestId, 'base64url')}`
}
