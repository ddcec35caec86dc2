/**
 * `GET /api/v1/cluster`, typed by the schema that the orchestrator answers with.
 */
import type { Static } from 'typebox'
import type { ClusterAnswer } from '../orchestrator/routes/shapes.ts'
import type { Orchestrators } from './orchestrator.ts'

export type ClusterNow = Static<typeof ClusterAnswer>
export type WorkerNow = ClusterNow['workers'][number]

const PATH = '/api/v1/cluster'

export const clusterOf = (orchestrators: Orchestrators): Promise<ClusterNow> =>
  orchestrators.call<ClusterNow>({ method: 'GET', path: PATH, repeat: false })
