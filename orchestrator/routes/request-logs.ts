/**
 * GET /api/v1/requests/{requestId}/logs: what the processes on this machine logged about
 * one request. Logs of containers are with their engine, and are not looked into.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { OverloadedError } from '../../wire/errors.ts'
import { findLines, type LogFolders } from '../dashboard/log-search.ts'
import { checkedRequestId } from './request-id.ts'

/** Each reads up to some hundred megabytes. */
const SEARCHES_MAX = 2

const RequestLogs = Type.Object(
  {
    requestId: Type.String(),
    sources: Type.Array(Type.String(), { description: 'Whose logs were looked into' }),
    unreachable: Type.Array(Type.String(), { description: 'What was not, and where that is' }),
    lines: Type.Array(
      Type.Object({
        source: Type.String(),
        at: Type.String(),
        level: Type.String(),
        message: Type.String(),
        fields: Type.Record(Type.String(), Type.Unknown())
      })
    ),
    more: Type.Boolean()
  },
  { description: 'By time; of the last 16 MiB of each log' }
)

export const requestLogsRoute: FastifyPluginAsyncTypebox<{
  readonly folders: LogFolders
}> = async (app, { folders }) => {
  let searches = 0
  const schema = {
    tags: ['cluster'],
    security: needs('admin'),
    summary: 'What the processes of this machine logged about a request',
    params: Type.Object({ requestId: Type.String() }),
    response: { 200: RequestLogs, ...refusals(400, 401, 403, 503) }
  }
  app.get('/api/v1/requests/:requestId/logs', { schema }, async ({ params }) => {
    const requestId = checkedRequestId(params.requestId)
    if (searches >= SEARCHES_MAX) throw new OverloadedError('logs are being looked into already')
    searches += 1
    try {
      const found = await findLines(requestId, folders)
      return { requestId, ...found, unreachable: unreachable(folders) }
    } finally {
      searches -= 1
    }
  })
}

function unreachable({ logsDir, workersDir }: LogFolders): string[] {
  const services = 'lb, users-api, rides-api, orchestrators (in containers: see docker logs)'
  const workers = 'workers (in containers: see docker logs)'
  return [
    ...(logsDir === undefined ? [services] : []),
    ...(workersDir === undefined ? [workers] : [])
  ]
}
