/**
 * Lists the workers' pids, and kills one of them for trying what happens then.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs, VIEW } from '../../platform/security/access.ts'
import type { Cluster, ClusterView } from '../cluster-view.ts'
import { NoSuchWorkerError } from '../errors.ts'
import type { Runtime } from '../runtimes/runtime.ts'

export interface WorkerListOptions {
  readonly view: Pick<ClusterView, 'now'>
}

export interface CrashOptions extends WorkerListOptions {
  readonly runtime: Pick<Runtime, 'kill'>
}

export const workerListRoute: FastifyPluginAsyncTypebox<WorkerListOptions> = async (
  app,
  { view }
) => {
  const response = {
    200: Type.Array(Type.Integer(), { description: 'Sorted', examples: [[1000, 2112, 4330]] }),
    ...refusals(401, 403)
  }
  app.get(
    '/api/v1/worker/list',
    { schema: { tags: ['cluster'], security: VIEW, summary: 'Pids of all workers', response } },
    () => [...view.now.workers.values()].map(({ pid }) => pid).sort((a, b) => a - b)
  )
}

export const crashRoutes: FastifyPluginAsyncTypebox<CrashOptions> = async (app, options) => {
  const { view, runtime } = options
  const crash = (
    { path, role }: { path: string; role: string },
    choose: (cluster: Cluster) => string | null
  ) => {
    const Killed = Type.Array(Type.String(), { description: 'Its pid', examples: [['2112']] })
    const schema = {
      tags: ['cluster'],
      security: needs('admin'),
      summary: `kill -9 of a ${role}`,
      response: { 200: Killed, ...refusals(401, 403, 409, 500) }
    }
    app.post(`/api/v1/crash/${path}`, { schema }, async () => {
      const workerId = choose(view.now)
      const pid = workerId === null ? null : await runtime.kill(workerId)
      if (pid === null) throw new NoSuchWorkerError(`there is no ${role} to kill`)
      return [String(pid)]
    })
  }
  crash({ path: 'master', role: 'master' }, ({ state, workers }) =>
    state?.master != null && workers.has(state.master) ? state.master : null
  )
  crash({ path: 'slave', role: 'replica' }, lastReplica)
}

/** The replica with the highest pid. */
export function lastReplica({ workers }: Cluster): string | null {
  let last: { workerId: string; pid: number } | null = null
  for (const [workerId, { pid, role }] of workers) {
    if (role === 'replica' && pid > (last?.pid ?? 0)) last = { workerId, pid }
  }
  return last?.workerId ?? null
}
