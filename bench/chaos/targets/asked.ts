/** What a running system says of itself: asked at whichever orchestrator answers. */
import { request } from 'undici'
import { isWhole } from '../../../testing/cluster/cluster.ts'
import type { ClusterNow } from '../../../testing/cluster/victims.ts'
import { until } from '../../../testing/wait.ts'
import type { Doors } from './target.ts'

const ANSWER_MS = 1_000

export interface SystemNow extends ClusterNow {
  readonly replicas: { readonly wanted: number }
}

/** @throws Error when no orchestrator answers */
export async function systemNow({ orchestrators }: Doors): Promise<SystemNow> {
  let cause: unknown
  for (const url of orchestrators) {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS)
      const { statusCode, body } = await request(`${url}/api/v1/cluster`, { signal })
      const now = (await body.json()) as SystemNow
      if (statusCode === 200) return now
      cause = now
    } catch (err) {
      cause = err
    }
  }
  throw new Error(`no orchestrator answers at ${orchestrators.join(', ')}`, { cause })
}

/** Resolves when one master and as many replicas as are wanted are in sync, none of them dead. */
export async function untilWhole(
  doors: Doors,
  { dead, withinMs }: { readonly dead: readonly number[]; readonly withinMs: number }
): Promise<void> {
  await until('one master and all wanted replicas in sync', { withinMs }, async () => {
    const now = await systemNow(doors)
    return isWhole(now, { dead, wanted: now.replicas.wanted + 1 }) ? true : undefined
  })
}
