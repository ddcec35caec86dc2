/**
 * Passes a worker's answer on: its bytes are the whole body, and are not read here.
 */
import type { FastifyReply } from 'fastify'
import type { Answer } from '../lanes/pending-writes.ts'

export function passOn(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  if (status === 503) reply.header('retry-after', 1)
  return reply.code(status).type('application/json; charset=utf-8').send(body)
}
