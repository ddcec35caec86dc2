/**
 * What goes with a call to the workers, beside what is asked: under which id the lines of
 * its way are logged, which trace it is a part of, and whose share it uses.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { clientOf, ownerOf } from '../../platform/security/client-key.ts'
import { traceparentOf } from '../../platform/tracing/traceparent.ts'
import { requestIdOf } from './request-id.ts'

export interface Way {
  readonly headers: IncomingHttpHeaders
  /** As in the header `x-request-id`. */
  readonly requestId: string
  /** Whose share it uses where clients compete: see client-key.ts. */
  readonly client: string
  /** Whose request ids these are; undefined where no tokens are in use. */
  readonly owner?: string | undefined
}

export const wayOf = (request: FastifyRequest): Way => ({
  headers: request.headers,
  requestId: request.id,
  client: clientOf(request),
  owner: ownerOf(request)
})

/** The fields of a write that its caller's headers decide. */
export function writeFields({ headers, requestId: traceId, client }: Way) {
  const traceparent = traceparentOf(headers)
  const named = { ...requestIdOf(headers), traceId, client }
  return traceparent === undefined ? named : { ...named, traceparent }
}
