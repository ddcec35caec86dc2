/**
 * The knobs of scaling: how many replicas, by which policy. What is set here holds from
 * now on, on every orchestrator, and outlives all of them.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import type { Scaling } from '../scaling/scaling.ts'
import {
  PolicyBody,
  policyChange,
  ReplicasBody,
  replicasChange,
  type ScalingSettings
} from '../scaling/settings.ts'
import type { StoredSettings } from '../scaling/stored-settings.ts'
import { SettingsAnswer } from './shapes.ts'

export interface ScalingRouteOptions {
  readonly scaling: Pick<Scaling, 'wanted'>
  readonly settings: Pick<StoredSettings, 'change'>
  readonly minCopies: number
}

export const scalingRoutes: FastifyPluginAsyncTypebox<ScalingRouteOptions> = async (
  app,
  { scaling, settings, minCopies }
) => {
  const common = {
    tags: ['cluster'],
    security: needs('admin'),
    response: { 200: SettingsAnswer, ...refusals(400, 401, 403, 415, 500, 503) }
  }
  app.put(
    '/api/v1/cluster/replicas',
    { schema: { ...common, summary: 'Sets a fixed count, or bounds', body: ReplicasBody } },
    async ({ body }) => shownSettings(await settings.change(replicasChange(body, minCopies)))
  )
  app.put(
    '/api/v1/cluster/policy',
    { schema: { ...common, summary: 'Sets the policy and its numbers', body: PolicyBody } },
    async ({ body }) => shownSettings(await settings.change(policyChange(body, scaling.wanted)))
  )
}

/** As the API tells them: what is wanted, and how it is decided. */
export function shownSettings({
  policy,
  count,
  min,
  max,
  isMaxChosen: _,
  ...numbers
}: ScalingSettings) {
  return {
    replicas: { count: policy === 'fixed' ? count : null, min, max },
    policy: { kind: policy, ...numbers }
  }
}
