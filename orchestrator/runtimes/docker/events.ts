/**
 * The engine's stream of events, connected again whenever it ends. Between two
 * connections anything may have happened: whoever listens has to look then.
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import { type BackoffPolicy, backoffMs } from '../../../wire/backoff.ts'
import { parseNode } from '../../../wire/znodes.ts'

const REDIAL: BackoffPolicy = { firstMs: 100, maxMs: 2_000 }

export interface EventOptions {
  readonly labels: readonly string[]
  readonly signal: AbortSignal
  /** Something has changed, or may have. */
  readonly heard: () => void
  readonly died: (containerId: string, exitCode: number | null) => void
}

interface EngineEvent {
  readonly Action?: string
  readonly id?: string
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> }
}

/** Resolves when `signal` says so, and not before. */
export async function followEvents(docker: Docker, options: EventOptions): Promise<void> {
  const { labels, signal, heard } = options
  const filters = { type: ['container' as const], label: [...labels] }
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const stream = await docker.getEvents({ filters, abortSignal: signal })
      attempt = 0
      heard()
      for await (const line of createInterface({ input: stream })) hear(line, options)
    } catch {
      // The listing that follows says what is wrong, if it still is.
    }
    heard()
    await sleep(backoffMs(REDIAL, attempt), undefined, { signal }).catch(() => undefined)
  }
}

function hear(line: string, { heard, died }: EventOptions): void {
  const event = parseNode<EngineEvent>(line)
  // A health check tells of itself every few seconds.
  if (event === null || event.Action?.startsWith('exec_')) return
  heard()
  if (event.Action !== 'die' || event.id === undefined) return
  const code = Number(event.Actor?.Attributes?.['exitCode'])
  died(event.id, Number.isInteger(code) ? code : null)
}
