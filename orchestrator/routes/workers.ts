/**
 * Lists the workers' pids, and kills one of them for trying what happens then.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
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
  const response = { 200: Type.Array(Type.Integer(), { examples: [[1000, 2112, 4330]] }) }
  app.get(
    '/api/v1/worker/list',
    { schema: { tags: ['cluster'], summary: 'Pids of all workers', response } },
    () => [...view.now.workers.values()].map(({ pid }) => pid).sort((a, b) => a - b)
  )
}

export const crashRoutes: FastifyPluginAsyncTypebox<CrashOptions> = async (app, options) => {
  const { view, runtime } = options
  const crash = (what: string, choose: (cluster: Cluster) => string | null) => {
    const response = { 200: Type.Array(Type.String(), { examples: [['2112']] }) }
    const schema = { tags: ['cluster'], summary: `kill -9 of a ${what}`, response }
    app.post(`/api/v1/crash/${what}`, { schema }, async () => {
      const workerId = choose(view.now)
      const pid = workerId === null ? null : await runtime.kill(workerId)
      if (pid === null) throw new NoSuchWorkerError(`there is no ${what} to kill`)
      return [String(pid)]
    })
  }
  crash('master', ({ state, workers }) =>
    state?.master != null && workers.has(state.master) ? state.master : null
  )
  crash('slave', lastReplica)
}

/** The replica with the highest pid. */
export function lastReplica({ workers }: Cluster): string | null {
  let last: { workerId: string; pid: number } | null = null
  for (const [workerId, { pid, role }] of workers) {
    if (role === 'replica' && pid > (last?.pid ?? 0)) last = { workerId, pid }
  }
  return last?.workerId ?? null
}
