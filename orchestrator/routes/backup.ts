/**
 * GET /api/v1/cluster/backup: the whole database of an in-sync worker, as one archive;
 * docs/backup.md. It holds every user's data, so it needs an admin's token.
 */
import type { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import type { Logger } from '../../platform/log.ts'
import { needs } from '../../platform/security/access.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import { type ClusterState, parseNode, STATE } from '../../wire/znodes.ts'
import { openBaseBackup } from '../backup/base-backup.ts'
import { BackupUnavailableError } from '../backup/errors.ts'
import { committedIn, sourceOf } from '../backup/source.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { OrchestratorConfig } from '../config.ts'

export interface BackupOptions {
  readonly config: OrchestratorConfig
  readonly zookeeper: Pick<ZooKeeper, 'read'>
  readonly view: Pick<ClusterView, 'now'>
  readonly log: Logger
}

const Query = Type.Object(
  {
    maxRateKBps: Type.Optional(
      Type.String({
        pattern: '^[0-9]{2,7}$',
        description: 'Bounds what is taken from the worker, before compression; 32 or more'
      })
    )
  },
  { additionalProperties: false }
)

/** A stream is sent as it is. */
const Archive = Type.Unsafe<Readable>({
  description: 'The archive: docs/backup.md',
  content: { 'application/gzip': { schema: { type: 'string', format: 'binary' } } }
})

export const backupRoute: FastifyPluginAsyncTypebox<BackupOptions> = async (app, options) => {
  const { config, log, view } = options
  const schema = {
    tags: ['cluster'],
    security: needs('admin'),
    summary: 'A consistent copy of the whole database, as .tar.gz',
    description: 'Broken off, and never ended well, when it is not whole.',
    querystring: Query,
    response: { 200: Archive, ...refusals(400, 401, 403, 409, 500, 503) }
  }
  app.get('/api/v1/cluster/backup', { schema }, async (request, reply) => {
    const { maxRateKBps } = request.query
    // Read after the request came: whoever is named has every write acknowledged until then.
    const state = await stateNow(options)
    const source = sourceOf(state, view.now)
    if (source === undefined) throw new BackupUnavailableError('no in-sync worker can be copied')
    const { clusterId, term } = state
    const archive = await openBaseBackup({
      ...{ source, log, ...meansIn(config) },
      known: { clusterId, term, index: committedIn(state, view.now) },
      maxRateKBps: maxRateKBps === undefined ? undefined : Number(maxRateKBps)
    })
    return reply.type('application/gzip').header('cache-control', 'no-store').send(archive)
  })
}

/** What workers are given by a start; an orchestrator that was started otherwise may lack it. */
function meansIn(config: OrchestratorConfig) {
  const { CONVOY_CLONE_PASSWORD: password, CONVOY_POSTGRES_BIN: binDir } = config
  if (password !== undefined && binDir !== undefined)
    return {
      password,
      binDir,
      ca: config.CONVOY_TLS_CERT && config.CONVOY_TLS_CA,
      secret: config.CONVOY_STORE_SECRET
    }
  throw new BackupUnavailableError(
    'this orchestrator lacks CONVOY_CLONE_PASSWORD or CONVOY_POSTGRES_BIN'
  )
}

async function stateNow({ zookeeper }: BackupOptions): Promise<ClusterState> {
  const node = await zookeeper.read(STATE).catch((cause: unknown) => {
    throw new BackupUnavailableError('ZooKeeper does not answer', { cause })
  })
  const state = node && parseNode<ClusterState>(node.data)
  if (state) return state
  throw new BackupUnavailableError('there is no cluster yet')
}
