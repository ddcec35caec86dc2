/**
 * One line for each call that only an administrator may make, refused ones too: who, from
 * where, what, and the outcome. Never a token. It is written whatever the log level is.
 */
import type { FastifyRequest, onResponseHookHandler } from 'fastify'
import type { Logger } from '../log.ts'
import type { Holder } from './tokens.ts'

/** What is asked for in a few words; what is longer is cut. */
const BODY_MAX_CHARS = 500

/** @param holderOf undefined when no known token came with it, or none is asked for */
export function audit(
  log: Logger,
  holderOf: (request: FastifyRequest) => Holder | undefined
): onResponseHookHandler {
  const level = log.level === 'silent' ? 'silent' : 'info'
  const lines = log.child({ audit: true }, { level }) // does not follow the level of `log`
  return (request, reply, done) => {
    const { method, url, body, ip: from, id: requestId } = request
    const what = body == null ? {} : { body: JSON.stringify(body).slice(0, BODY_MAX_CHARS) }
    const who = holderOf(request) ?? null
    const outcome = { status: reply.statusCode }
    lines.info(
      { who, from, call: `${method} ${url}`, ...what, ...outcome, requestId },
      'admin call'
    )
    done()
  }
}
