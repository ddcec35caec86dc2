/**
 * Watches whether a system that starts waits for an operator (docs/guarantees.md): says so
 * once, with what to do, and so that the start does not give up meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bearerOf } from './tokens.ts'

const LOOK_MS = 1_000
/** Workers that are being started are there by then. */
const PASSES_WITHIN_MS = 10_000
const NEEDS_OPERATOR = ['inSyncGone', 'memoryLost']

export interface OperatorWatch extends Disposable {
  /** Nothing but an operator's choice lets this go on. */
  readonly needed: boolean
}

export function watchForOperator(options: {
  /** Of the orchestrator. */
  readonly url: string
  readonly token?: string | undefined
  readonly say: (line: string) => void
}): OperatorWatch {
  const { url, say } = options
  const headers = bearerOf(options.token)
  const ended = new AbortController()
  let needed = false
  let sinceMs: number | null = null
  const look = async () => {
    while (!ended.signal.aborted) {
      const message = await stuckAt({ url, headers }, ended.signal)
      sinceMs = message === null ? null : (sinceMs ?? performance.now())
      const stays = sinceMs !== null && performance.now() - sinceMs > PASSES_WITHIN_MS
      if (message !== null && stays && !needed) say(message)
      needed = stays
      await sleep(LOOK_MS, undefined, { signal: ended.signal }).catch(() => {})
    }
  }
  void look()
  return {
    get needed() {
      return needed
    },
    [Symbol.dispose]: () => ended.abort()
  }
}

async function stuckAt(
  { url, headers }: { url: string; headers: Record<string, string> },
  ended: AbortSignal
): Promise<string | null> {
  try {
    const signal = AbortSignal.any([ended, AbortSignal.timeout(LOOK_MS)])
    const reply = await fetch(`${url}/api/v1/cluster`, { headers, signal })
    const { stuck } = (await reply.json()) as { stuck: { why: string; message: string } | null }
    return stuck !== null && NEEDS_OPERATOR.includes(stuck.why) ? stuck.message : null
  } catch {
    return null // It does not listen yet.
  }
}
