/** What goes with all that one request does: its id, and the time until which it may take. */
import type { FastifyRequest } from 'fastify'
import { type Context, DEADLINE_MS } from '../client/caller.ts'

export const contextOf = (request: FastifyRequest): Context => ({
  traceId: request.id,
  deadlineAt: performance.now() + DEADLINE_MS
})
