/**
 * Turns the shared queues on and off as the worker's view says: writes and strong
 * reads while it leads, other reads while `/state` names it. One start or stop at a
 * time; what is wanted last wins.
 */
import type { AmqpLink } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import { READ_QUEUE, STRONG_QUEUE } from '../platform/wire/queues.ts'
import { consumptionOf } from './protocol/answers.ts'
import type { View } from './protocol/view.ts'
import type { Reads } from './reads.ts'
import type { Writes } from './writes.ts'

export interface Consumption {
  /** @param link null while there is no connection */
  follow(view: View, link: AmqpLink | null): void
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
    link => reads.start(link, READ_QUEUE),
    () => reads.stop(giveBack ? 'giveBack' : 'finish'),
    failed
  )
  return {
    follow(view, link) {
      const wanted = consumptionOf(view, link !== null)
      giveBack = wanted.giveBack
      const leading = wanted.leads ? link : null
      writing.set(leading, view.term)
      strong.set(leading, view.term)
      reading.set(wanted.reads ? link : null, 0)
    }
  }
}

interface Wish {
  readonly link: AmqpLink
  readonly term: number
}

interface Switch {
  set(link: AmqpLink | null, term: number): void
}

function openSwitch(
  start: (link: AmqpLink, term: number) => Promise<void>,
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
      if (present !== null) await start(present.link, present.term).catch(failed)
    }
    turning = false
  }

  return {
    set(link, term) {
      if (link === null ? wanted === null : isSame(wanted, { link, term })) return
      wanted = link === null ? null : { link, term }
      if (!turning) void turn()
    }
  }
}

const isSame = (a: Wish | null, b: Wish) => a !== null && a.link === b.link && a.term === b.term
