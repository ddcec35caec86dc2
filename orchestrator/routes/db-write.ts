/**
 * POST /api/v1/db/write and /api/v1/db/clear, and what became of a write.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import { IdempotencyKey, refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { seenBy } from '../../platform/security/client-key.ts'
import { ownedHash, type Param } from '../../wire/requests.ts'
import { type Admission, STATEMENTS_MAX, sealWrite } from '../admission/admission.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { Answer } from '../lanes/pending-writes.ts'
import { passOn } from './answer.ts'
import { checkedRequestId } from './request-id.ts'
import { WriteAnswer } from './shapes.ts'
import { type Way, wayOf, writeFields } from './way.ts'

export interface WriteRouteOptions {
  readonly admission: Admission
  readonly dispatch: Pick<Dispatch, 'write' | 'read'>
  readonly deadlineMs: number
}

export const SqlParam = Type.Unsafe<Param>({
  description: 'any JSON value; numbers keep their digits, objects their keys'
})

/** In this order they work on a fresh system, and the first one as often as one likes. */
const CREATE_NOTES =
  'create table if not exists notes (id bigint generated always as identity primary key, ' +
  'body text, at timestamptz default now())'
const INSERT_NOTE = {
  sql: 'insert into notes (body) values ($1) returning *',
  params: ['hello'],
  expectRows: 1
}

export const Write = Type.Object(
  {
    statements: Type.Array(
      Type.Object(
        {
          sql: Type.String(),
          params: Type.Optional(Type.Array(SqlParam)),
          expectRows: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Any other number rolls all back: 409' })
          )
        },
        { additionalProperties: false }
      ),
      { minItems: 1, maxItems: STATEMENTS_MAX }
    ),
    intent: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description:
          'What the caller wants, where the statements of a retry may differ: the same Idempotency-Key with the ' +
          'same intent gets the first outcome. Without it the statements themselves must be the same'
      })
    )
  },
  {
    additionalProperties: false,
    examples: [{ statements: [{ sql: CREATE_NOTES }] }, { statements: [INSERT_NOTE] }]
  }
)

/** One statement, which the workers know by its kind. */
const CLEAR = sealWrite([{ sql: '', params: [], kind: 'clear' }])

const about = { tags: ['database'], security: needs('write') }
const writing = refusals(400, 401, 403, 409, 413, 415, 422, 500, 503, 504)
const reading = refusals(400, 401, 403, 404, 413, 500, 503, 504)

/** What a checked body comes to, over whatever way it came. */
export function writer({ admission, dispatch, deadlineMs }: WriteRouteOptions) {
  return async (body: Static<typeof Write>, way: Way): Promise<Answer> => {
    const { statements, intent } = body
    const admitted = await admission.write(statements, { client: way.client, intent })
    const owned = { ...admitted, commandHash: ownedHash(admitted.commandHash, way.owner) }
    return dispatch.write({ ...owned, ...writeFields(way) }, deadlineMs)
  }
}

export const writeRoutes: FastifyPluginAsyncTypebox<WriteRouteOptions> = async (app, options) => {
  const { dispatch, deadlineMs } = options
  const write = writer(options)

  app.post(
    '/api/v1/db/write',
    {
      schema: {
        ...about,
        operationId: 'db.write',
        summary: 'One transaction',
        headers: IdempotencyKey,
        body: Write,
        response: { 200: WriteAnswer, ...writing }
      }
    },
    async (request, reply) => passOn(reply, await write(request.body, wayOf(request)))
  )

  app.get(
    '/api/v1/db/write/:requestId',
    {
      schema: {
        ...about,
        operationId: 'db.outcome',
        summary: 'What became of a write',
        params: Type.Object({ requestId: Type.String() }),
        response: { 200: WriteAnswer, ...reading }
      }
    },
    async (request, reply) => {
      const outcomeOf = checkedRequestId(request.params.requestId)
      const owner = seenBy(request)
      const query = owner === undefined ? { outcomeOf } : { outcomeOf, owner }
      return passOn(reply, await dispatch.read('strongQ', query, deadlineMs))
    }
  )

  app.post(
    '/api/v1/db/clear',
    {
      schema: {
        ...about,
        security: needs('admin'),
        operationId: 'db.clear',
        summary: 'Empties every table',
        headers: IdempotencyKey,
        response: { 200: Type.Object({}, { description: 'All empty' }), ...writing }
      }
    },
    async (request, reply) => {
      const answer = await dispatch.write({ ...CLEAR, ...writeFields(wayOf(request)) }, deadlineMs)
      return answer.status === 200 ? {} : passOn(reply, answer)
    }
  )
}
