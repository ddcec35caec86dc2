/**
 * The fast path: runs the commands of a batch one after the other in one exchange, without
 * savepoints, as long as all goes well. What does not undoes the whole transaction (RetryError),
 * and the batch is run again with savepoints. PostgreSQL does not tell which command of an
 * exchange runs, so all of them together have little time, and then each gets its own.
 *
 * A command that ended the transaction takes nothing with it: reading the changes fails in
 * a transaction whose batch is not open, and undoes what ran behind it.
 */
import type { WriteCommand } from '../../wire/requests.ts'
import { CapturedChanges } from './changes.ts'
import {
  type CommandContext,
  isOverflown,
  outcomeOf,
  type Sending,
  sendingOf,
  tagStep
} from './command.ts'
import {
  type BatchStart,
  checkOpened,
  type Master,
  openingSteps,
  RetryError,
  readingSteps
} from './master.ts'
import type { Outcome, Step } from './steps.ts'
import { isTooMuch, TOGETHER_MS } from './turn.ts'

export interface StraightBatch extends BatchStart {
  readonly commands: readonly WriteCommand[]
}

/**
 * @returns the commands' results, and what they changed
 * @throws RetryError when anything is not as it should be
 */
export async function runStraight(
  master: Master,
  batch: StraightBatch,
  context: CommandContext
): Promise<{ results: readonly string[]; captured: CapturedChanges }> {
  const { session } = master
  const captured = new CapturedChanges()
  const opening = openingSteps(master, batch)
  const sent = batch.commands.map((command, i) => {
    const sending = sendingOf(command, context)
    // The first entry is tagged by the opening.
    return { ...sending, tags: i === 0 ? [] : [tagStep(batch.first + i, context)] }
  })
  const reading = readingSteps(master, batch.first, captured)
  const steps = sent.flatMap(({ tags, steps }) => [...tags, ...steps])
  const running = session.connection.run([...opening, ...steps, ...reading])
  const isCut = await session.watch(running, ranMs => ranMs >= TOGETHER_MS || isTooLarge(sent))
  const outcome = await running
  if (isCut && outcome.error !== undefined) throw new RetryError('stepwise')
  if (outcome.tags.length < opening.length) checkOpened(outcome)
  const results = resultsOf(sent, { ...outcome, tags: outcome.tags.slice(opening.length) })
  if (outcome.error !== undefined) throw new RetryError('savepoints')
  return { results, captured }
}

const isTooLarge = (sent: readonly Sending[]): boolean =>
  sent.some(isOverflown) || isTooMuch(sent.map(({ collected }) => collected))

type Tagged = Sending & { readonly tags: readonly Step[] }

function resultsOf(sent: readonly Tagged[], outcome: Outcome): string[] {
  let at = 0
  return sent.map(sending => {
    at += sending.tags.length
    const tags = outcome.tags.slice(at, at + sending.steps.length)
    at += sending.steps.length
    const failed = tags.length < sending.steps.length && outcome.error !== undefined
    const own = outcomeOf(sending, failed ? { tags, error: outcome.error } : { tags })
    if (own.kind === 'done') return own.result
    throw new RetryError(own.kind === 'smuggled' ? 'stepwise' : 'savepoints')
  })
}
