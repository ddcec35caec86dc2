/**
 * The bearer token that database and admin calls need, where one is configured.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { onRequestHookHandler } from 'fastify'
import { UnauthorizedError } from '../errors.ts'

export function bearer(token: string): onRequestHookHandler {
  const wanted = digest(`Bearer ${token}`)
  return (request, reply, done) => {
    // Digests are of one length, so the comparison takes the same time whatever was sent.
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), wanted)) return done()
    reply.header('www-authenticate', 'Bearer')
    done(new UnauthorizedError())
  }
}

const digest = (text: string) => hash('sha256', text, 'buffer')
