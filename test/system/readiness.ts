/** What an orchestrator says of whether writes can succeed. */
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'

const SEEN_MS = 20_000

export interface Readiness {
  readonly ready: boolean
  readonly reasons?: readonly { readonly code: string; readonly message: string }[]
}

interface Orchestrator {
  readonly url: string
}

export async function readiness({ url }: Orchestrator): Promise<Readiness> {
  return (await call(`GET ${url}/readyz`)).body as Readiness
}

/** @returns what it says of the reason with this code, as soon as it does */
export function untilReason(
  orchestrator: Orchestrator,
  code: string,
  message = /./
): Promise<string> {
  return until(`readyz to say ${code}`, { withinMs: SEEN_MS }, async () => {
    const { reasons = [] } = await readiness(orchestrator)
    return reasons.find(reason => reason.code === code && message.test(reason.message))?.message
  })
}

export function untilReady(orchestrator: Orchestrator): Promise<true> {
  return until('readiness', { withinMs: SEEN_MS }, async () => {
    return (await readiness(orchestrator)).ready || undefined
  })
}
