/**
 * POST /api/v1/db/calls: reads and writes of one service over one connection, each
 * answered when it is ready, by the functions of `db/read` and `db/write`. The form is in
 * wire/calls.ts, the reasons in docs/decisions/calls-on-one-connection.md.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Registry } from 'prom-client'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { requestTimes } from '../../platform/http/times.ts'
import type { Logger } from '../../platform/log.ts'
import { needs } from '../../platform/security/access.ts'
import type { Tracing } from '../../platform/tracing/otlp.ts'
import { CALLS_PATH, CALLS_TYPE } from '../../wire/calls.ts'
import { Conversation, type Kind } from './conversation.ts'
import { Read, type ReadRouteOptions, reader } from './db-read.ts'
import { Write, type WriteRouteOptions, writer } from './db-write.ts'

export interface CallsRouteOptions {
  readonly reads: ReadRouteOptions
  readonly writes: WriteRouteOptions
  readonly metrics: Registry
  readonly tracing?: Tracing
}

export const callsRoute: FastifyPluginAsyncTypebox<CallsRouteOptions> = async (app, options) => {
  // Counted as what they would be if each came alone.
  const answered = requestTimes(options.metrics)
  const kinds = new Map<string, Kind>([
    ['/api/v1/db/read', { body: Read, answer: reader(options.reads) }],
    ['/api/v1/db/write', { body: Write, answer: writer(options.writes) }]
  ])
  const answering = { kinds, answered, tracing: options.tracing, log: app.log as Logger }
  const open = new Set<Conversation>()
  app.addHook('preClose', async () => {
    await Promise.all([...open].map(one => one.close()))
  })
  app.addContentTypeParser(CALLS_TYPE, (_request, body, done) => done(null, body))
  const schema = {
    tags: ['database'],
    security: needs('write'),
    summary: 'Many reads and writes over one connection',
    description: 'For services: one line of JSON for each call, answers as they are ready',
    response: { 200: Type.String({ description: 'The answers' }), ...refusals(401, 403, 415) }
  }
  app.post(CALLS_PATH, { schema }, (request, reply) => {
    const one = new Conversation(request, reply.hijack().raw, answering)
    open.add(one)
    reply.raw.on('close', () => open.delete(one))
  })
}
