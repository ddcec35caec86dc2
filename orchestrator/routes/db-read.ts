/**
 * POST /api/v1/db/read: one reading statement, at the consistency asked for.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { InvalidRequestError } from '../../wire/errors.ts'
import type { Admission } from '../admission/admission.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { Answer } from '../lanes/pending-writes.ts'
import { passOn } from './answer.ts'
import { SqlParam } from './db-write.ts'
import { ReadAnswer } from './shapes.ts'
import { type Way, wayOf } from './way.ts'

export interface ReadRouteOptions {
  readonly admission: Admission
  readonly dispatch: Pick<Dispatch, 'read'>
  readonly deadlineMs: number
  /** Told of each read that is asked for. */
  readonly onRead: () => void
}

export const Read = Type.Object(
  {
    sql: Type.String(),
    params: Type.Optional(Type.Array(SqlParam)),
    consistency: Type.Optional(
      Type.Enum(['replica', 'session', 'strong'], {
        description: 'replica, unless said otherwise'
      })
    ),
    minIndex: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
  },
  { additionalProperties: false, examples: [{ sql: 'select 1 as one', consistency: 'strong' }] }
)

/** What a checked body comes to, over whatever way it came. */
export function reader({ admission, dispatch, deadlineMs, onRead }: ReadRouteOptions) {
  return async (
    body: Static<typeof Read>,
    way: Pick<Way, 'client' | 'requestId'>
  ): Promise<Answer> => {
    const { client, requestId: traceId } = way
    const { sql, params = [], consistency = 'replica', minIndex } = body
    if (consistency === 'session' && minIndex === undefined) {
      throw new InvalidRequestError('consistency "session" needs a minIndex')
    }
    await admission.read(sql, params, client)
    onRead()
    const read = { sql, params, client, traceId, ...(minIndex !== undefined && { minIndex }) }
    return dispatch.read(consistency === 'strong' ? 'strongQ' : 'readQ', read, deadlineMs)
  }
}

export const readRoute: FastifyPluginAsyncTypebox<ReadRouteOptions> = async (app, options) => {
  const read = reader(options)

  app.post(
    '/api/v1/db/read',
    {
      schema: {
        operationId: 'db.read',
        tags: ['database'],
        security: needs('read'),
        summary: 'One reading statement',
        body: Read,
        response: { 200: ReadAnswer, ...refusals(400, 401, 403, 413, 415, 500, 503, 504) }
      }
    },
    async (request, reply) => passOn(reply, await read(request.body, wayOf(request)))
  )
}
