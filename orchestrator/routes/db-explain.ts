/**
 * POST /api/v1/db/explain: how PostgreSQL would run a reading statement. What is explained
 * is admitted as a read is, and runs where reads run: in a read-only transaction, as the
 * role that cannot write.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { clientOf } from '../../platform/security/client-key.ts'
import type { Admission } from '../admission/admission.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { Answer } from '../lanes/pending-writes.ts'
import { passOn } from './answer.ts'
import { SqlParam } from './db-write.ts'
import { ReadAnswer } from './shapes.ts'

export interface ExplainRouteOptions {
  readonly admission: Pick<Admission, 'read'>
  readonly dispatch: Pick<Dispatch, 'read'>
  readonly deadlineMs: number
}

const Explain = Type.Object(
  {
    sql: Type.String(),
    params: Type.Optional(Type.Array(SqlParam)),
    analyze: Type.Optional(
      Type.Boolean({ description: 'Runs it, for the times and rows as they really are' })
    )
  },
  { additionalProperties: false, examples: [{ sql: 'select 1 as one' }] }
)

/** In front of one admitted statement, so that it explains that and no other. */
const PLAN = 'explain (format json) '
const RUN = 'explain (format json, analyze) '

export const explainRoute: FastifyPluginAsyncTypebox<ExplainRouteOptions> = async (
  app,
  { admission, dispatch, deadlineMs }
) => {
  const schema = {
    tags: ['database'],
    security: needs('read'),
    summary: 'The plan of a reading statement',
    body: Explain,
    response: { 200: ReadAnswer, ...refusals(400, 401, 403, 413, 415, 500, 503, 504) }
  }
  app.post('/api/v1/db/explain', { schema }, async (request, reply) => {
    const { sql, params = [], analyze = false } = request.body
    await admission.read(sql, params, clientOf(request))
    const before = analyze ? RUN : PLAN
    const answer = await dispatch.read('readQ', { sql: before + sql, params }, deadlineMs)
    return passOn(reply, shifted(answer, before.length))
  })
}

/** Tells where an error is in what the caller sent. */
function shifted(answer: Answer, by: number): Answer {
  if (answer.status === 200) return answer
  const told: { position?: unknown } = JSON.parse(answer.body.toString())
  if (typeof told.position !== 'number') return answer
  return { ...answer, body: Buffer.from(JSON.stringify({ ...told, position: told.position - by })) }
}
