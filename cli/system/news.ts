/**
 * Tells on the terminal what happens to the workers of a running system: follows the
 * server-sent events of one orchestrator, and of the next one, quietly, whenever they end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterEvent } from '../../orchestrator/cluster-events.ts'

const AGAIN_MS = 500

export interface NewsOptions {
  /** Of orchestrators. */
  readonly urls: readonly string[]
  readonly say: (line: string) => void
  readonly stopped: AbortSignal
}

/** Resolves when `stopped`. */
export async function followNews({ urls, say, stopped }: NewsOptions): Promise<void> {
  const pids = new Map<string, number>()
  for (let turn = 0; !stopped.aborted; turn++) {
    const url = urls[turn % urls.length] ?? ''
    try {
      // The stream first: what changes after it was opened, the stream tells.
      const events = await fetch(`${url}/api/v1/cluster/events`, { signal: stopped })
      for (const { id, pid } of await workersOf(url, stopped)) pids.set(id, pid)
      await read(events, event => {
        if ('workerId' in event && 'pid' in event) pids.set(event.workerId, event.pid)
        const line = newsOf(event, pids)
        if (line !== undefined) say(line)
      })
    } catch {
      // The watcher tells when the orchestrator ended; there is no more to say about it here.
    }
    await sleep(AGAIN_MS, undefined, { signal: stopped }).catch(() => {})
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
    case 'recovered':
      return `an operator chose ${named(event.inSync)} to go on with, in term ${event.term}`
    case 'role':
    case 'leaderless': // The death before it and the election after it say as much.
      return undefined
  }
}

async function workersOf(url: string, signal: AbortSignal) {
  const reply = await fetch(`${url}/api/v1/cluster`, { signal })
  return ((await reply.json()) as { workers: { id: string; pid: number }[] }).workers
}

async function read(reply: Response, take: (event: ClusterEvent) => void): Promise<void> {
  if (reply.status !== 200 || reply.body === null) return
  let rest = ''
  for await (const text of reply.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = block.split('\n').find(line => line.startsWith('data: '))
      if (data !== undefined) take(JSON.parse(data.slice('data: '.length)) as ClusterEvent)
    }
  }
}
