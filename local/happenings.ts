/**
 * What happens to the cluster, from one orchestrator after the other: when one ends, the
 * next is asked, and when one stands still. What happens in between is not told.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch } from 'undici'
import type { Happening } from '../orchestrator/timeline.ts'
import { serverSentEvents } from './server-sent-events.ts'
import { bearerOf } from './tokens.ts'

const AGAIN_MS = 500
/** A stream begins at once, and every 15 s there is a ping. */
const PATIENCE: Patience = { answerMs: 15_000, silentMs: 40_000 }

export interface Patience {
  readonly answerMs: number
  readonly silentMs: number
}

export interface HappeningsOptions {
  /** Of orchestrators. */
  readonly urls: readonly string[]
  readonly token?: string | undefined
  readonly ended: AbortSignal
  /** Before the events of a stream that was opened: what changes from then on, they tell. */
  readonly opened?: (url: string) => Promise<void>
  readonly patience?: Patience
}

/** Ends when `ended`. */
export async function* happenings(options: HappeningsOptions): AsyncGenerator<Happening> {
  const { urls, ended, opened, patience = PATIENCE } = options
  const headers = bearerOf(options.token)
  const { answerMs: headersTimeout, silentMs: bodyTimeout } = patience
  const dispatcher = new Agent({ headersTimeout, bodyTimeout })
  for (let turn = 0; !ended.aborted; turn++) {
    const url = urls[turn % urls.length] ?? ''
    try {
      const path = '/api/v1/cluster/events'
      const reply = await fetch(`${url}${path}`, { headers, signal: ended, dispatcher })
      await opened?.(url)
      const events = reply.status === 200 && reply.body ? serverSentEvents(reply.body) : []
      for await (const { data } of events) yield JSON.parse(data) as Happening
    } catch {
      // It is being replaced, or gone for good: another answers, or it comes back.
    }
    await sleep(AGAIN_MS, undefined, { signal: ended }).catch(() => {})
  }
}
