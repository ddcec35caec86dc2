/**
 * POST /api/v1/db/write and /api/v1/db/clear, and what became of a write.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Param } from '../../platform/wire/requests.ts'
import { type Admission, STATEMENTS_MAX, sealWrite } from '../admission/admission.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import { passOn } from './answer.ts'
import { checkedRequestId, requestIdOf } from './request-id.ts'

export interface WriteRouteOptions {
  readonly admission: Admission
  readonly dispatch: Pick<Dispatch, 'write' | 'read'>
  readonly deadlineMs: number
}

export const SqlParam = Type.Unsafe<Param>({
  description: 'any JSON value; integers beyond 2^53 as strings'
})

const Write = Type.Object(
  {
    statements: Type.Array(
      Type.Object(
        {
          sql: Type.String(),
          params: Type.Optional(Type.Array(SqlParam)),
          expectRows: Type.Optional(Type.Integer({ minimum: 0 }))
        },
        { additionalProperties: false }
      ),
      { minItems: 1, maxItems: STATEMENTS_MAX }
    )
  },
  {
    additionalProperties: false,
    examples: [{ statements: [{ sql: 'insert into notes (text) values ($1)', params: ['hello'] }] }]
  }
)

/** One statement, which the workers know by its kind. */
const CLEAR = sealWrite([{ sql: '', params: [], kind: 'clear' }])

export const writeRoutes: FastifyPluginAsyncTypebox<WriteRouteOptions> = async (app, options) => {
  const { admission, dispatch, deadlineMs } = options

  app.post(
    '/api/v1/db/write',
    { schema: { tags: ['database'], summary: 'One transaction', body: Write } },
    async (request, reply) => {
      const admitted = admission.write(request.body.statements)
      const ask = { ...admitted, ...requestIdOf(request.headers) }
      return passOn(reply, await dispatch.write(ask, deadlineMs))
    }
  )

  app.get(
    '/api/v1/db/write/:requestId',
    {
      schema: {
        tags: ['database'],
        summary: 'What became of a write',
        params: Type.Object({ requestId: Type.String() })
      }
    },
    async (request, reply) => {
      const outcomeOf = checkedRequestId(request.params.requestId)
      return passOn(reply, await dispatch.read('strongQ', { outcomeOf }, deadlineMs))
    }
  )

  app.post(
    '/api/v1/db/clear',
    { schema: { tags: ['database'], summary: 'Empties every table' } },
    async (request, reply) => {
      const answer = await dispatch.write({ ...CLEAR, ...requestIdOf(request.headers) }, deadlineMs)
      return answer.status === 200 ? {} : passOn(reply, answer)
    }
  )
}
