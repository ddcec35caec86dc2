/**
 * GET /api/v1/cluster/events: what happens to the cluster, as server-sent events.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { VIEW } from '../../platform/security/access.ts'
import type { Timeline } from '../timeline.ts'
import { EventStream } from './event-stream.ts'

export const eventsRoute: FastifyPluginAsyncTypebox<{
  readonly timeline: Pick<Timeline, 'on'>
}> = async (app, { timeline }) => {
  const stream = new EventStream()
  const listening = timeline.on(happening => stream.send(happening.type, happening))
  app.addHook('preClose', async () => {
    listening[Symbol.dispose]()
    stream[Symbol.dispose]()
  })

  const Events = Type.String({ description: 'text/event-stream, one event for each change' })
  const schema = {
    tags: ['cluster'],
    security: VIEW,
    summary: 'What happens, as server-sent events',
    response: { 200: Events, ...refusals(401, 403, 503) }
  }
  app.get('/api/v1/cluster/events', { schema }, (_request, reply) => stream.open(reply))
}
