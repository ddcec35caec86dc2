/** What goes with all that one request does: its id, its trace, and the time until which it may take. */
import type { FastifyRequest } from 'fastify'
import { type Context, DEADLINE_MS } from '../../client/caller.ts'
import { traceparentOf } from '../tracing/traceparent.ts'

export const contextOf = (request: FastifyRequest): Context => ({
  traceId: request.id,
  traceparent: traceparentOf(request.headers),
  deadlineAt: performance.now() + DEADLINE_MS
})
