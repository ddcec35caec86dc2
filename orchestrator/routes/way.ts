/**
 * What goes with a call to the workers, beside what is asked: under which id the lines of
 * its way are logged, and which trace it is a part of.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { traceparentOf } from '../../platform/tracing/traceparent.ts'
import { requestIdOf } from './request-id.ts'

export interface Way {
  readonly headers: IncomingHttpHeaders
  /** As in the header `x-request-id`. */
  readonly requestId: string
}

export const wayOf = ({ headers, id }: FastifyRequest): Way => ({ headers, requestId: id })

/** The fields of a write that its caller's headers decide. */
export function writeFields({ headers, requestId: traceId }: Way) {
  const traceparent = traceparentOf(headers)
  const named = { ...requestIdOf(headers), traceId }
  return traceparent === undefined ? named : { ...named, traceparent }
}
