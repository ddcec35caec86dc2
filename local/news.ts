/**
 * Tells on the terminal what happens to the workers of a running system: follows the
 * server-sent events of one orchestrator, and of the next one, quietly, whenever they end.
 */
import type { ClusterEvent } from '../orchestrator/cluster-events.ts'
import { happenings } from './happenings.ts'
import { bearerOf } from './tokens.ts'

const ANSWER_MS = 15_000

export interface NewsOptions {
  /** Of orchestrators. */
  readonly urls: readonly string[]
  readonly token?: string | undefined
  readonly say: (line: string) => void
  readonly stopped: AbortSignal
}

/** Resolves when `stopped`. */
export async function followNews({ urls, token, say, stopped }: NewsOptions): Promise<void> {
  const pids = new Map<string, number>()
  const opened = async (url: string) => {
    for (const { id, pid } of await workersOf({ url, token }, stopped)) pids.set(id, pid)
  }
  // The watcher tells when an orchestrator ended; there is no more to say about it here.
  for await (const event of happenings({ urls, token, ended: stopped, opened })) {
    if ('workerId' in event && 'pid' in event) pids.set(event.workerId, event.pid)
    const line = newsOf(event, pids)
    if (line !== undefined) say(line)
  }
}

/** @returns undefined for what is not worth a line */
export function newsOf(event: ClusterEvent, pids: ReadonlyMap<string, number>): string | undefined {
  const named = (ids: readonly string[]) => ids.map(id => pids.get(id) ?? id).join(', ')
  switch (event.type) {
    case 'workerStarted':
      return `worker ${event.pid} started`
    case 'workerLost':
      return `worker ${event.pid} (${event.role}) is gone`
    case 'elected': {
      const after = event.durationMs === null ? '' : ` (after ${event.durationMs} ms)`
      return `worker ${event.pid} is master of term ${event.term}${after}`
    }
    case 'supervises':
      return event.pid === null ? undefined : `orchestrator ${event.pid} supervises`
    case 'scaled':
      return `${event.from} to ${event.to} replicas (${event.policy}: ${event.reason})`
    case 'inSync': {
      const joined = event.added.length > 0 ? [`worker ${named(event.added)} is in sync`] : []
      const left =
        event.removed.length > 0 ? [`writes wait no more for ${named(event.removed)}`] : []
      return [...joined, ...left].join('; ')
    }
    case 'diverged':
      return `worker ${event.pid} differs and leaves the service: ${event.trouble}`
    case 'harmful':
      return `request ${event.requestId} is harmful, and is refused`
    case 'recovered':
      return `an operator chose ${named(event.inSync)} to go on with, in term ${event.term}`
    case 'role':
    case 'leaderless': // The death before it and the election after it say as much.
      return undefined
  }
}

async function workersOf(
  { url, token }: { url: string; token: string | undefined },
  stopped: AbortSignal
) {
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(ANSWER_MS)])
  const reply = await fetch(`${url}/api/v1/cluster`, { headers: bearerOf(token), signal })
  return ((await reply.json()) as { workers: { id: string; pid: number }[] }).workers
}
