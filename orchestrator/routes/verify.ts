/**
 * POST /api/v1/cluster/verify begins a verification of all workers, or joins the one that
 * runs here; GET tells of the last one. Both wait a while for its end (202 while it runs).
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { clientOf } from '../../platform/security/client-key.ts'
import { NotFoundError } from '../../wire/errors.ts'
import type { Verifications } from '../verify/verifications.ts'

/** Below the timeouts that clients and proxies commonly have. */
const WAIT_MS = 20_000

const Verified = Type.Object(
  {
    index: Type.Integer({ description: 'Of the first part; each part has an index of its own' }),
    tables: Type.Array(
      Type.Object({ table: Type.String(), rows: Type.String(), sum: Type.String() })
    ),
    objects: Type.Record(Type.String(), Type.Integer(), {
      description: 'How many of each kind were compared: rows (of a table or partition), index, ...'
    }),
    workers: Type.Array(
      Type.Object({
        id: Type.String(),
        pid: Type.Integer(),
        equal: Type.Boolean(),
        verdict: Type.Enum(['equal', 'wrong', 'undecided'], {
          description:
            '`wrong`: its data is replaced. `undecided`: no majority, so nothing is done; see `trust`'
        }),
        differing: Type.Array(Type.String(), {
          description: 'Tables by their names; other objects by kind and name; faults of its own'
        })
      })
    ),
    leftOut: Type.Array(Type.Object({ id: Type.String(), why: Type.String() }), {
      description: 'Workers that were not compared, or not to the end'
    }),
    skipped: Type.Array(Type.String(), {
      description: 'What schema changes kept from being compared'
    }),
    trusted: Type.Union([Type.String(), Type.Null()])
  },
  { description: 'It has ended' }
)

const Running = Type.Object(
  { id: Type.String(), parts: Type.Integer(), tablesLeft: Type.Integer() },
  { description: 'It goes on; ask again with GET' }
)

const Body = Type.Union([
  Type.Null(),
  Type.Object(
    {
      trust: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 100,
          description: 'A worker whose data is right, whatever the others have'
        })
      )
    },
    { additionalProperties: false }
  )
])

export const verifyRoute: FastifyPluginAsyncTypebox<{
  readonly verifications: Verifications
}> = async (app, { verifications }) => {
  const shown = { tags: ['cluster'], security: needs('admin') }
  const response = { 200: Verified, 202: Running }
  const look = async () => {
    const looked = await verifications.look(WAIT_MS)
    if (looked === null) throw new NotFoundError('no verification has begun on this orchestrator')
    return looked
  }
  const begin = {
    ...shown,
    summary: 'Compares rows, schema, sequences and log of all workers, in the background',
    body: Body,
    response: { ...response, ...refusals(400, 401, 403, 409, 500, 503, 504) }
  }
  app.post('/api/v1/cluster/verify', { schema: begin }, async (request, reply) => {
    const trusted = request.body?.trust ?? null
    verifications.begin({ trusted, client: clientOf(request) })
    const looked = await look()
    if (looked.kind === 'running') return reply.code(202).send(looked.running)
    return reply.code(200).send(mutable(looked.verified))
  })
  const tell = {
    ...shown,
    summary: 'The verification that runs, or ended last, on this orchestrator',
    response: { ...response, ...refusals(401, 403, 404, 500, 503, 504) }
  }
  app.get('/api/v1/cluster/verify', { schema: tell }, async (_request, reply) => {
    const looked = await look()
    if (looked.kind === 'running') return reply.code(202).send(looked.running)
    return reply.code(200).send(mutable(looked.verified))
  })
}

type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T

/** The schema's type knows no `readonly`. */
const mutable = <T>(value: T) => value as Mutable<T>
