/**
 * Holds back for a moment what tells replicas nothing but the commit index: the next entries
 * carry it too, and spare a message to each of them. Reads on replicas may wait for it, so the
 * moment is short. The protocol counts on no message, so one may be late, or overtaken.
 */
import type { Broker } from './broker.ts'
import type { Append, Message } from './protocol/messages.ts'

/** With one writer after the other, the next batch has mostly begun by then. */
const HOLD_MS = 1

export interface HoldOptions {
  readonly send: Broker['send']
  /** Whether a batch is being executed, whose entries will carry the news. */
  readonly busy: () => boolean
  /** Calls back after so long; a test's own. */
  readonly after?: (ms: number, then: () => void) => void
}

export function holdNews({ send, busy, after = later }: HoldOptions): Broker['send'] {
  let held: Append | null = null
  let sent: Append | null = null
  let waiting = false

  function wait(): void {
    if (waiting) return
    waiting = true
    after(HOLD_MS, () => {
      waiting = false
      if (held === null) return
      if (busy()) wait()
      else tell(held)
    })
  }

  function tell(message: Append): void {
    held = null
    sent = message
    send({ exchange: 'sync' }, message)
  }

  return (to, message) => {
    if (typeof to === 'string' || message.kind !== 'append') return send(to, message)
    if (!isNews(message, sent)) return tell(message)
    held = message
    wait()
  }
}

/** Neither entries nor a barrier of its own, nor the first of a term. */
const isNews = (message: Message & Append, sent: Append | null): boolean =>
  message.entries.length === 0 && message.term === sent?.term && message.barrier === sent.barrier

const later = (ms: number, then: () => void): void => void setTimeout(then, ms).unref()
