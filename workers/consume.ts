/**
 * Turns the shared queues on and off as the worker's view says: writes and strong
 * reads while it leads, other reads while `/state` names it. One start or stop at a
 * time; what is wanted last wins.
 */
import type { AmqpLink } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import { READ_QUEUE, STRONG_QUEUE } from '../wire/queues.ts'
import { consumptionOf } from './protocol/answers.ts'
import type { View } from './protocol/view.ts'
import { PREFETCH, type Reads } from './reads.ts'
import type { Writes } from './writes.ts'

export interface Consumption {
  /** @param link null while there is no connection */
  follow(view: View, link: AmqpLink | null): void
  /** Messages of reads that are in work at once, from the next `follow` on. */
  prefetch: number
}

export function openConsumption(options: {
  writes: Writes
  reads: Reads
  strongReads: Reads
  log: Logger
}): Consumption {
  const { writes, reads, strongReads, log } = options
  let giveBack = false
  const failed = (err: unknown) => log.debug({ err }, 'a queue could not be consumed')
  const writing = openSwitch(
    (link, term) => writes.start(link, term),
    () => writes.stop(),
    failed
  )
  const strong = openSwitch(
    link => strongReads.start(link, STRONG_QUEUE),
    () => strongReads.stop('giveBack'),
    failed
  )
  const reading = openSwitch(
    (link, prefetch) => reads.start(link, READ_QUEUE, prefetch),
    () => reads.stop(giveBack ? 'giveBack' : 'finish'),
    failed
  )
  return {
    prefetch: PREFETCH,
    follow(view, link) {
      const wanted = consumptionOf(view, link !== null)
      giveBack = wanted.giveBack
      const leading = wanted.leads ? link : null
      writing.set(leading, view.term)
      strong.set(leading, view.term)
      reading.set(wanted.reads ? link : null, this.prefetch)
    }
  }
}

interface Wish {
  readonly link: AmqpLink
  /** Of writes and strong reads the term, of other reads how many at once: another means to begin anew. */
  readonly as: number
}

interface Switch {
  set(link: AmqpLink | null, as: number): void
}

function openSwitch(
  start: (link: AmqpLink, as: number) => Promise<void>,
  stop: () => void,
  failed: (err: unknown) => void
): Switch {
  let wanted: Wish | null = null
  let present: Wish | null = null
  let turning = false

  async function turn(): Promise<void> {
    turning = true
    while (wanted !== present) {
      if (present !== null) {
        stop()
        present = null
        continue
      }
      present = wanted
      // A start fails when its connection is gone; the next connection brings the next wish.
      if (present !== null) await start(present.link, present.as).catch(failed)
    }
    turning = false
  }

  return {
    set(link, as) {
      if (link === null ? wanted === null : isSame(wanted, { link, as })) return
      wanted = link === null ? null : { link, as }
      if (!turning) void turn()
    }
  }
}

const isSame = (a: Wish | null, b: Wish) => a !== null && a.link === b.link && a.as === b.as
