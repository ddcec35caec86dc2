/**
 * One line for each call that only an administrator may make, refused ones too: who, from
 * where, what, and the outcome. Never a token. It is written whatever the log level is, and
 * also when the caller does not wait for an answer.
 */
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Logger } from '../log.ts'
import type { Holder } from './tokens.ts'

/** What is asked for in a few words; what is longer is cut. */
const BODY_MAX_CHARS = 500

/**
 * To be called before anything that may refuse.
 * @param holderOf undefined when no known token came with it, or none is asked for
 */
export function audit(
  log: Logger,
  holderOf: (request: FastifyRequest) => Holder | undefined
): onRequestHookHandler {
  const level = log.level === 'silent' ? 'silent' : 'info'
  const lines = log.child({ audit: true }, { level }) // does not follow the level of `log`
  return (request, reply, done) => {
    let status: number | null = null
    reply.raw.once('finish', () => {
      status = reply.statusCode
    })
    // It comes after a whole answer, and when there is nobody left to answer.
    reply.raw.once('close', () => {
      const { method, url, body, ip: from, id: requestId } = request
      const what = body == null ? {} : { body: JSON.stringify(body).slice(0, BODY_MAX_CHARS) }
      const who = holderOf(request) ?? null
      const call = `${method} ${url}`
      lines.info({ who, from, call, ...what, status, requestId }, 'admin call')
    })
    done()
  }
}
