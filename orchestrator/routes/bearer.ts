/**
 * The bearer token that database and admin calls need, when one is configured.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { onRequestHookHandler } from 'fastify'
import { UnauthorizedError } from '../errors.ts'

export function bearer(token: string | undefined): onRequestHookHandler {
  if (token === undefined) return (_request, _reply, done) => done()
  const wanted = digest(`Bearer ${token}`)
  return (request, reply, done) => {
    // Digests are of one length, so the comparison takes the same time whatever was sent.
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), wanted)) return done()
    reply.header('www-authenticate', 'Bearer')
    done(new UnauthorizedError())
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()
