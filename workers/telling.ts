/**
 * What is told of a batch of writes beside its answers: a span for each write that is
 * traced and, at level debug, one line with the ids of all its calls.
 */
import type { Logger } from '../platform/log.ts'
import type { Tracing } from '../platform/tracing/otlp.ts'
import { KIND } from '../platform/tracing/tracer.ts'
import type { WriteCommand } from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import type { Executed } from './store.ts'

export interface Teller {
  /** @returns what is to be called when the answers leave */
  begin(batch: ToldBatch): () => void
}

export interface ToldBatch {
  readonly term: number
  readonly writes: readonly { readonly command: WriteCommand; readonly receivedMs: number }[]
  /** What became of each. */
  readonly executed: readonly Executed[]
}

export function openTeller({ tracing, log }: { tracing: Tracing; log: Logger }): Teller {
  return {
    begin(batch) {
      const end = tracing === undefined ? undefined : spansOf(tracing, batch)
      return () => {
        end?.()
        if (!log.isLevelEnabled('debug')) return
        const requestIds = batch.writes.map(({ command }) => command.traceId ?? command.requestId)
        log.debug({ term: batch.term, requestIds }, 'writes answered')
      }
    }
  }
}

/** From the receipt of each to its answer. */
function spansOf(tracer: NonNullable<Tracing>, { term, writes, executed }: ToldBatch): () => void {
  const atMs = nowMs()
  const ends = writes.map(({ command, receivedMs }, i) => {
    const { traceparent: parent, traceId = '' } = command
    if (parent === undefined) return undefined
    const name = 'write'
    const span = tracer.start({ name, kind: KIND.consumer, parent, sinceMs: atMs - receivedMs })
    const status = statusOf(executed[i])
    const attributes = {
      'convoy.request_id': traceId,
      'convoy.term': term,
      'convoy.batch_commands': writes.length,
      'http.response.status_code': status
    }
    return () => span.end({ failed: status >= 500, attributes })
  })
  return () => {
    for (const end of ends) end?.()
  }
}

function statusOf(outcome: Executed | undefined): number {
  if (outcome === undefined) return 500
  return outcome.kind === 'entry' ? outcome.entry.status : outcome.status
}
