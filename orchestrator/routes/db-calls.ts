/**
 * POST /api/v1/db/calls: reads and writes of one service over one connection, each
 * answered when it is ready, by the functions of `db/read` and `db/write`. The form is in
 * platform/wire/calls.ts, the reasons in docs/decisions/calls-on-one-connection.md.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Histogram, type Registry } from 'prom-client'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { CALLS_PATH, CALLS_TYPE } from '../../platform/wire/calls.ts'
import { Conversation, type Kind } from './conversation.ts'
import { Read, type ReadRouteOptions, reader } from './db-read.ts'
import { Write, type WriteRouteOptions, writer } from './db-write.ts'

export interface CallsRouteOptions {
  readonly reads: ReadRouteOptions
  readonly writes: WriteRouteOptions
  readonly metrics: Registry
}

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export const callsRoute: FastifyPluginAsyncTypebox<CallsRouteOptions> = async (app, options) => {
  const seconds = new Histogram({
    name: 'convoy_db_call_seconds',
    help: 'Time from a call on POST /api/v1/db/calls to its answer',
    labelNames: ['path'],
    buckets: BUCKETS_S,
    registers: [options.metrics]
  })
  const paths = { read: '/api/v1/db/read', write: '/api/v1/db/write' }
  const kinds: ReadonlyMap<string, Kind> = new Map([
    [
      paths.read,
      { body: Read, answer: reader(options.reads), seconds: seconds.labels(paths.read) }
    ],
    [
      paths.write,
      { body: Write, answer: writer(options.writes), seconds: seconds.labels(paths.write) }
    ]
  ])
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
    const one = new Conversation(request, reply.hijack().raw, kinds)
    open.add(one)
    reply.raw.on('close', () => open.delete(one))
  })
}
