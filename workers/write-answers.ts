/**
 * What is told of writes that were executed: their replies, by the queue of whoever asked,
 * and from which index on they may leave.
 */
import type { Reply, WriteCommand } from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import type { Delivery } from './deliveries.ts'
import type { Entry } from './entry.ts'
import { harmful } from './postgres/refusals.ts'
import { toldAt } from './protocol/answers.ts'
import { sizeOf } from './protocol/steps.ts'
import { type Executed, type Postponed, writeBody } from './store.ts'
import type { Schedulable } from './write-schedule.ts'

const { status: HARMFUL } = harmful()
const CODE = '"code":"CONVOY_REQUEST_HARMFUL"'

/** A command that waits or is executed. */
export interface Waiting extends Schedulable {
  readonly command: WriteCommand
  readonly delivery: Delivery
}

/** Answers that may leave when `index` is committed. */
export interface Held {
  readonly index: number
  readonly answered: readonly Waiting[]
  readonly replies: ReadonlyMap<string, readonly Reply[]>
  /** Characters of its entries and answers. */
  readonly size: number
  readonly sinceMs: number
  /** To be called when they leave. */
  readonly told: () => void
}

/** @param batch.before end of the log before the batch: what was refused rests on nothing newer */
export function hold(batch: {
  answered: readonly Waiting[]
  executed: readonly Executed[]
  before: number
  told: () => void
}): Held {
  const { answered, executed, before, told } = batch
  const replies = new Map<string, Reply[]>()
  for (const [i, outcome] of executed.entries()) {
    const { command, delivery } = answered[i] as Waiting
    const answers = replies.get(delivery.replyTo) ?? []
    replies.set(delivery.replyTo, answers)
    answers.push(replyOf(command.requestId, outcome))
  }
  const size = executed.reduce((sum, outcome) => sum + sizeIn(outcome), 0)
  return { index: toldAt(before, executed), answered, replies, size, sinceMs: nowMs(), told }
}

const sizeIn = (outcome: Executed): number =>
  outcome.kind === 'entry' ? sizeOf(outcome.entry) : outcome.result.length

/** Nothing is postponed where no bystanders were named. */
export function settled(outcome: Executed | Postponed): Executed {
  if (outcome.kind === 'postponed') throw new Error('a command was postponed unasked')
  return outcome
}

export function termOf(outcome: Executed): number {
  if (outcome.kind === 'entry') return outcome.entry.term
  if (outcome.kind === 'repeat') return outcome.term
  throw new Error('an entry that says that a request begins was refused')
}

function replyOf(id: string, outcome: Executed): Reply {
  if (outcome.kind === 'refused') {
    return { id, kind: 'write', status: outcome.status, body: outcome.result }
  }
  const { index, term, status, result } = outcome.kind === 'entry' ? outcome.entry : outcome
  const body = writeBody({ requestId: id, index, term, status, result })
  return { id, kind: 'write', status, body }
}

/** Ids of what was refused as harmful, here or by a store that survived its database's crashes. */
export const refusedIn = (entries: readonly Entry[]): string[] =>
  entries.filter(isRefused).map(({ requestId }) => requestId)

const isRefused = ({ status, result }: Entry): boolean =>
  status === HARMFUL && result.includes(CODE)
