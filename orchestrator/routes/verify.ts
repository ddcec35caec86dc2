/**
 * POST /api/v1/cluster/verify: an entry at which every worker looks at its rows, its schema
 * and its log; then waits until each in-sync worker has told how it differs from the master.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { IdempotencyKey, refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import type { WorkerNode } from '../../platform/wire/znodes.ts'
import { sealWrite } from '../admission/admission.ts'
import type { Cluster, ClusterView } from '../cluster-view.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import { passOn } from './answer.ts'
import { readVerified, type VerifiedItem } from './verified.ts'
import { wayOf, writeFields } from './way.ts'

export interface VerifyOptions {
  readonly dispatch: Pick<Dispatch, 'write'>
  readonly view: ClusterView
  readonly deadlineMs: number
}

const VERIFY = sealWrite([{ sql: '', params: [], kind: 'verify' }])
/** Summing large tables takes its time. */
const REPORTED_WITHIN_MS = 30_000

const Verified = Type.Object(
  {
    index: Type.Integer(),
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
        differing: Type.Array(Type.String(), {
          description: 'Tables by their names; other objects by kind and name; faults of its own'
        })
      })
    )
  },
  { description: 'Once every in-sync worker has told what differs' }
)

interface VerifyBody {
  readonly index: number
  readonly results: readonly { readonly rows: readonly VerifiedItem[] }[]
}

export const verifyRoute: FastifyPluginAsyncTypebox<VerifyOptions> = async (app, options) => {
  const { dispatch, view, deadlineMs } = options
  const schema = {
    tags: ['cluster'],
    security: needs('admin'),
    summary: 'Compares rows, schema, sequences and log of all workers',
    headers: IdempotencyKey,
    response: { 200: Verified, ...refusals(400, 401, 403, 422, 500, 503, 504) }
  }
  app.post('/api/v1/cluster/verify', { schema }, async (request, reply) => {
    using heard = new Heard(view)
    const answer = await dispatch.write({ ...VERIFY, ...writeFields(wayOf(request)) }, deadlineMs)
    if (answer.status !== 200) return passOn(reply, answer)
    const { index, results } = JSON.parse(answer.body.toString()) as VerifyBody
    await view.until(({ state }) => heard.lacks(state, index).length === 0, {
      what: 'what all in-sync workers found',
      ms: REPORTED_WITHIN_MS
    })
    const { tables, objects, faults } = readVerified(results[0]?.rows ?? [])
    const workers = heard.reports(view.now.state, { index, faults })
    return { index, tables, objects, workers }
  })
}

/** What workers tell meanwhile: one that differs leaves the in-sync set as soon as it has told. */
class Heard implements Disposable {
  readonly #nodes: Map<string, WorkerNode>
  readonly #asked: readonly string[]
  readonly #listening: Disposable

  constructor(view: ClusterView) {
    this.#nodes = new Map(view.now.workers)
    this.#asked = view.now.state?.inSync ?? []
    this.#listening = view.on(({ workers }) => {
      for (const [id, node] of workers) this.#nodes.set(id, node)
    })
  }

  /** In-sync workers that have not come to `index` yet. The master's own sums are what they compare with. */
  lacks(state: Cluster['state'], index: number): string[] {
    return (state?.inSync ?? []).filter(id => id !== state?.master && !this.#hasTold(id, index))
  }

  /** @param entry.faults what the master found wrong with itself */
  reports(state: Cluster['state'], entry: { index: number; faults: readonly string[] }) {
    const ids = new Set([...(state?.inSync ?? []), ...this.#asked])
    return [...ids].flatMap(id => {
      const node = this.#nodes.get(id)
      if (node === undefined || (id !== state?.master && !this.#hasTold(id, entry.index))) {
        return []
      }
      const found = id === state?.master ? entry.faults : node.verified?.differing
      const differing = [...(found ?? [])]
      return [{ id, pid: node.pid, equal: differing.length === 0, differing }]
    })
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }

  #hasTold(id: string, index: number): boolean {
    return (this.#nodes.get(id)?.verified?.index ?? 0) >= index
  }
}
