/**
 * The header `traceparent` of W3C Trace Context: which trace a request belongs to, which
 * span called, and whether the trace is recorded. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http'

export const TRACEPARENT = 'traceparent'

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** @returns undefined for what is none: the request then begins a trace of its own */
export function parseTraceparent(text: unknown): TraceParent | undefined {
  if (typeof text !== 'string') return undefined
  const [, version, traceId = '', spanId = '', flags = '', more] = FORM.exec(text) ?? []
  if (version === undefined || version === 'ff') return undefined
  if (version === '00' && more !== undefined) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export const traceparentText = ({ traceId, spanId, sampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** As it came, to be passed on; undefined for what is none. */
export function traceparentOf(headers: IncomingHttpHeaders): string | undefined {
  const given = headers[TRACEPARENT]
  if (given === undefined) return undefined
  return parseTraceparent(given) === undefined ? undefined : (given as string)
}
