/**
 * Very many connections: each stays open, asks a little once in a while, and is opened
 * again when it breaks. All answers are judged like those of other clients.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { bearerOf, type Orchestrator } from '../../../testing/cluster/database.ts'
import { ask, type Judge } from './ask.ts'

const SQL = 'select count(*) as n from combined_keys where n = $1'
/** One connection asks so often: thousands of them must not be an overload by themselves. */
const EVERY_MS = 20_000
const PATIENCE_MS = 15_000

export interface CrowdOptions {
  readonly cluster: Orchestrator
  readonly orchestrators: readonly string[]
  readonly connections: number
  readonly judge: Judge
}

/** @returns how many were answered, once `ended` */
export async function crowd(options: CrowdOptions, ended: AbortSignal): Promise<number> {
  const { connections, orchestrators } = options
  const answered = await Promise.all(
    Array.from({ length: connections }, (_, n) => {
      const url = orchestrators[n % orchestrators.length] as string
      return stay(url, (n / connections) * EVERY_MS, { ...options, ended })
    })
  )
  return answered.reduce((sum, n) => sum + n, 0)
}

async function stay(
  url: string,
  firstAfterMs: number,
  { cluster, judge, ended }: CrowdOptions & { ended: AbortSignal }
): Promise<number> {
  let answered = 0
  const pool = new Pool(url, { connections: 1, keepAliveTimeout: 2 * EVERY_MS })
  // The connection is there from the beginning, not when it is used first.
  await ask({ url, path: '/livez', pool, judge, patienceMs: PATIENCE_MS })
  const pause = (ms: number) => sleep(ms, undefined, { signal: ended }).catch(() => {})
  await pause(firstAfterMs)
  while (!ended.aborted) {
    const body = { sql: SQL, params: [answered], consistency: 'replica' }
    const headers = bearerOf(cluster)
    const told = await ask({
      ...{ url, path: '/api/v1/db/read', pool, judge, patienceMs: PATIENCE_MS },
      ...{ body, headers }
    })
    if (told.status === 200) answered += 1
    await pause(EVERY_MS)
  }
  await pool.destroy()
  return answered
}
