/**
 * The one error body of every server, and the only place where an error becomes a
 * status. What a caller did wrong is told in words; an unknown error is logged and
 * told to nobody.
 */
import type {
  FastifyError,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError
} from 'fastify'
import Type from 'typebox'
import { ServiceError } from '../../wire/errors.ts'

type Log = Pick<FastifyRequest['log'], 'debug' | 'error'>

/** Routes refer to it and never restate it. */
export const ErrorReply = Type.Object(
  { code: Type.String(), message: Type.String() },
  { additionalProperties: true }
)

/** How long a client may go on sending a body that is refused. */
const REST_MS = 10_000

/** What fastify refuses by itself, by status. */
const CODES: Readonly<Record<number, string>> = {
  413: 'CONVOY_BODY_TOO_LARGE',
  415: 'CONVOY_UNSUPPORTED_MEDIA_TYPE'
}

/** What an error comes to for the caller. */
export interface Refusal {
  readonly status: number
  readonly retryAfterS: number | undefined
  readonly body: { readonly code: string; readonly message: string }
}

/** The only place where an error becomes a status. */
export function refusalOf(error: FastifyError | ServiceError | Error, log: Log): Refusal {
  if (error instanceof ServiceError) {
    log.debug({ code: error.code }, 'request refused')
    const { code, message, statusCode: status, retryAfterS, details } = error
    return { status, retryAfterS, body: { code, message, ...details } }
  }
  const status = (error as Partial<FastifyError>).statusCode
  if (status !== undefined && status < 500) {
    const code = CODES[status] ?? 'CONVOY_INVALID_REQUEST'
    return { status, retryAfterS: undefined, body: { code, message: error.message } }
  }
  log.error({ err: error }, 'unexpected error')
  const body = { code: 'CONVOY_INTERNAL', message: 'internal error' }
  return { status: 500, retryAfterS: undefined, body }
}

export function replyWithError(
  error: FastifyError | ServiceError,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const { status, retryAfterS, body } = refusalOf(error, request.log)
  if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS)
  if (status === 413 && !(error instanceof ServiceError)) takeTheRest(request, reply)
  return reply.code(status).send(body)
}

/**
 * Many clients send their whole body before they read an answer: on a connection that
 * fastify closes under them they would find an error in place of the 413. So the rest is
 * taken and thrown away; what has no end is cut off.
 */
function takeTheRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection')
  const giveUp = setTimeout(() => raw.destroy(), REST_MS).unref()
  raw.once('close', () => clearTimeout(giveUp)).resume()
}

/** `body.username must be string`, `query.limit is unknown`. */
export function validationError(errors: FastifySchemaValidationError[], where: string): Error {
  const place = where === 'querystring' ? 'query' : where
  const [first] = errors
  if (first === undefined) return new Error(`${place} is invalid`)
  const at = `${place}${first.instancePath.replaceAll('/', '.')}`
  const { missingProperty, additionalProperty, allowedValues, limit } = first.params
  if (first.keyword === 'required') return new Error(`${at}.${missingProperty} is missing`)
  if (first.keyword === 'additionalProperties') {
    return new Error(`${at}.${additionalProperty} is unknown`)
  }
  if (Array.isArray(allowedValues)) {
    return new Error(`${at} must be one of: ${allowedValues.join(', ')}`)
  }
  if (first.keyword === 'minItems') {
    return new Error(`${at} must ${limit === 1 ? 'not be empty' : `have at least ${limit} items`}`)
  }
  if (first.keyword === 'maxItems') return new Error(`${at} must have at most ${limit} items`)
  // One error for each type that it could be.
  const types = errors
    .filter(({ keyword }) => keyword === 'type')
    .map(({ params }) => params['type'])
  if (types.length > 1) return new Error(`${at} must be ${types.join(' or ')}`)
  return new Error(`${at} ${first.message ?? 'is invalid'}`)
}
