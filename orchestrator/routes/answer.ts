/**
 * Passes a worker's answer on: its bytes are the whole body, and are not looked into.
 */
import type { FastifyReply } from 'fastify'
import type { Answer } from '../lanes/pending-writes.ts'

const ONE_WRITE_BYTES = 16 * 1024

export function passOn(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  if (status === 503) reply.header('retry-after', 1)
  reply.code(status).type('application/json; charset=utf-8')
  // As text, node writes a small body together with the head: one write less on the way.
  return reply.send(body.length < ONE_WRITE_BYTES ? body.toString() : body)
}
