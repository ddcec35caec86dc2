/**
 * Headers on their way through: what concerns one connection alone stays behind, and
 * the way of the request is added. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { REQUEST_ID } from '../platform/http/request-id.ts'

export const IDEMPOTENCY_KEY = 'idempotency-key'

/** RFC 9110, section 7.6.1; `host`, `content-length` and `expect` are the next connection's own. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'expect'
])
/** An answer keeps its length: that of a HEAD cannot be counted. */
const NOT_ANSWERED = new Set([...NOT_FORWARDED].filter(name => name !== 'content-length'))

type Headers = Record<string, string | string[]>

export interface Origin {
  readonly requestId: string
  readonly key: string | undefined
  readonly remoteAddress: string
  readonly protocol: string
}

export function forwardedHeaders(headers: IncomingHttpHeaders, origin: Origin): Headers {
  const forwarded = without(headers, NOT_FORWARDED)
  const way = headers['x-forwarded-for']
  forwarded['x-forwarded-for'] = way ? `${way}, ${origin.remoteAddress}` : origin.remoteAddress
  forwarded['x-forwarded-proto'] = headers['x-forwarded-proto'] ?? origin.protocol
  forwarded['x-forwarded-host'] = headers['x-forwarded-host'] ?? headers.host ?? ''
  forwarded[REQUEST_ID] = origin.requestId
  if (origin.key !== undefined) forwarded[IDEMPOTENCY_KEY] = origin.key
  return forwarded
}

export function answeredHeaders(headers: IncomingHttpHeaders, requestId: string): Headers {
  const answered = without(headers, NOT_ANSWERED)
  answered[REQUEST_ID] = requestId
  return answered
}

function without(headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): Headers {
  const named = headers.connection?.toLowerCase().split(',') ?? []
  const dropsMore = named.some(name => name.trim() !== 'keep-alive' && name.trim() !== 'close')
  const perConnection = new Set(dropsMore ? named.map(name => name.trim()) : [])
  const kept: Headers = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !dropped.has(name) && !perConnection.has(name)) kept[name] = value
  }
  return kept
}
