/**
 * GET /metrics/targets: where Prometheus finds the figures of every process, in the form
 * of its HTTP service discovery.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { VIEW } from '../../platform/security/access.ts'
import type { ClusterView } from '../cluster-view.ts'

const Targets = Type.Array(
  Type.Object({
    targets: Type.Array(Type.String(), { description: 'host:port' }),
    labels: Type.Object({ service: Type.String(), process: Type.String() })
  })
)

export const metricsTargetsRoute: FastifyPluginAsyncTypebox<{
  readonly view: Pick<ClusterView, 'now'>
}> = async (app, { view }) => {
  const schema = {
    tags: ['health'],
    security: VIEW,
    summary: 'Every process that tells figures, for Prometheus',
    response: { 200: Targets }
  }
  app.get('/metrics/targets', { schema }, () =>
    [...view.now.instances].flatMap(([process, { service, metrics }]) =>
      metrics === undefined
        ? []
        : [{ targets: [new URL(metrics).host], labels: { service, process } }]
    )
  )
}
