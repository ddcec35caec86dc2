/**
 * POST /api/v1/cluster/handover: another worker becomes master, without a gap to speak of.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import type { HandedOver } from '../handover.ts'

const NewMaster = Type.Object(
  { term: Type.Integer(), master: Type.String(), pid: Type.Integer() },
  { description: 'Once the new master leads' }
)

export const handoverRoute: FastifyPluginAsyncTypebox<{
  readonly handOver: () => Promise<HandedOver>
}> = async (app, { handOver }) => {
  const schema = {
    tags: ['cluster'],
    security: needs('admin'),
    summary: 'A replica takes over from the master, as planned',
    response: { 200: NewMaster, ...refusals(401, 403, 409, 500, 504) }
  }
  app.post('/api/v1/cluster/handover', { schema }, () => handOver())
}
