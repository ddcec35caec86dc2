/**
 * Takes reads from a shared queue while the worker may, and lets those that it took
 * be finished, or given back, when it may no more.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AmqpLink } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import { type READ_QUEUE, STRONG_QUEUE } from '../wire/queues.ts'
import { nowMs } from './clock.ts'
import type { Loop } from './loop.ts'
import type { Outbox } from './outbox.ts'
import { ReadNotes } from './read-notes.ts'
import { ReadSession } from './read-session.ts'
import type { Store } from './store.ts'

/** Messages in work at once, unless an operator wants others; more would be stuck with a worker that freezes. */
export const PREFETCH = 32
const DRAIN_POLL_MS = 5

export interface Reads {
  /** Consumes `readQ`, or `strongQ` where every read is answered behind a barrier. */
  start(
    link: AmqpLink,
    queue: typeof READ_QUEUE | typeof STRONG_QUEUE,
    prefetch?: number
  ): Promise<void>
  /** Takes no more; what was taken is answered, or with `giveBack` delivered to others. */
  stop(how: 'finish' | 'giveBack'): void
  /** Takes no more. Resolves when what was taken is answered, or after `withinMs`. */
  drain(withinMs: number): Promise<void>
  /** Whether some are taken, or are still to be answered. */
  readonly busy: boolean
  /** Reads answered since the start of the process. */
  readonly answered: number
}

export function openReads(options: {
  loop: Loop
  store: Store
  sessionWaitMs: number
  outbox: Outbox
  failed: (error: unknown) => void
  /** Breaks the connection: a queue that should be consumed is not. */
  drop: () => void
  log: Logger
}): Reads {
  /** The one that consumes, and those that finish what they took. */
  const sessions = new Set<ReadSession>()
  let consuming: ReadSession | null = null
  let answered = 0
  const count = (reads: number) => {
    answered += reads
  }
  options.loop.onStep(() => {
    for (const session of sessions) if (!session.step()) sessions.delete(session)
  })
  function stop(how: 'finish' | 'giveBack'): void {
    if (how === 'finish') consuming?.finish()
    else for (const session of sessions) session.close()
    consuming = null
  }
  return {
    async start(link, queue, prefetch = PREFETCH) {
      const channel = await link.consumeConnection.createChannel()
      const strong = queue === STRONG_QUEUE
      const notes = await ReadNotes.open(link, () => session.lost())
      const session = new ReadSession({ ...options, channel, link, notes, strong, count })
      channel.on('error', () => {}).on('close', () => session.lost())
      sessions.add(session)
      consuming = session
      await channel.prefetch(prefetch)
      await session.consume(queue)
    },
    stop,
    async drain(withinMs) {
      stop('finish')
      const until = nowMs() + withinMs
      while (sessions.size > 0 && nowMs() < until) await sleep(DRAIN_POLL_MS)
    },
    get busy() {
      return sessions.size > 0
    },
    get answered() {
      return answered
    }
  }
}
