/**
 * Writes at the master: takes what waits in `writeQ`, executes it in one
 * transaction, and answers when it is committed in the cluster. A delivery is
 * acknowledged only with its answers, so what a dead master held is delivered again.
 * Nothing is held beyond the prefetch.
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import { type AmqpLink, whileOpen } from '../platform/amqp.ts'
import { WRITE_QUEUE } from '../platform/wire/queues.ts'
import {
  decodeWrites,
  encodeReplies,
  type Reply,
  type WriteCommand,
  type WriteMessage
} from '../platform/wire/requests.ts'
import type { Entry } from './entry.ts'
import { type Loop, nowMs, refusal } from './loop.ts'
import type { CommitTimes } from './metrics.ts'
import { isLeftOver, mayExecute, mayLeave, toldAt } from './protocol/answers.ts'
import type { View } from './protocol/view.ts'
import { type Executed, type Postponed, type Store, writeBody } from './store.ts'
import type { Teller } from './telling.ts'

/** Messages, each of up to a lane's batch. More would be stuck with a master that freezes. */
const PREFETCH = 6
/** Commands in one transaction; a message is never split. */
const BATCH_COMMANDS = 128

interface Delivery {
  readonly message: ConsumeMessage
  readonly replyTo: string
  readonly commands: readonly WriteCommand[]
  readonly receivedMs: number
}

/** Answers that may leave when `index` is committed. */
interface Held {
  readonly index: number
  readonly deliveries: readonly Delivery[]
  readonly replies: ReadonlyMap<string, readonly Reply[]>
  readonly sinceMs: number
  /** To be called when they leave. */
  readonly told: () => void
}

export interface Writes {
  /** Begins to consume; ends with the channel, when the worker no longer leads. */
  start(link: AmqpLink, term: number): Promise<void>
  stop(): void
}

export function openWrites(options: {
  loop: Loop
  store: Store
  times: CommitTimes
  teller: Teller
  failed: (error: unknown) => void
  /** Breaks the connection: a queue that should be consumed is not. */
  drop: () => void
}): Writes {
  const { loop } = options
  let session: Session | null = null
  /** Ends when the last batch of the last session has: one transaction at a time. */
  let executing: Promise<void> = Promise.resolve()
  loop.onStep(view => session?.step(view))
  return {
    async start(link, term) {
      const channel = await link.consumeConnection.createChannel()
      const opened = new Session({ ...options, channel, link, term, before: executing })
      session = opened
      channel.on('error', () => {}).on('close', () => opened.lost())
      await channel.prefetch(PREFETCH)
      // A frozen or cut-off master may consume still: it is given nothing that a later one has room for.
      await channel.consume(WRITE_QUEUE, message => opened.take(message), { priority: term })
    },
    stop() {
      session?.close()
      executing = session?.done ?? executing
      session = null
    }
  }
}

interface SessionOptions {
  readonly channel: Channel
  readonly link: AmqpLink
  readonly term: number
  readonly loop: Loop
  readonly store: Store
  readonly times: CommitTimes
  readonly teller: Teller
  readonly failed: (error: unknown) => void
  readonly drop: () => void
  /** What a former session of this process may still execute. */
  readonly before: Promise<void>
}

/** One mastership over one connection. */
class Session {
  readonly #options: SessionOptions
  #waiting: Delivery[] = []
  #held: Held[] = []
  #executing = false
  #open = true
  /** Ends when nothing is executed any more. */
  done: Promise<void>

  constructor(options: SessionOptions) {
    this.#options = options
    this.done = options.before
  }

  take(message: ConsumeMessage | null): void {
    if (message === null) this.lost()
    if (message === null || !this.#open) return
    const asked = decoded(message)
    const { redelivered } = message.fields
    if (asked === null || isLeftOver({ redelivered, term: asked.term }, this.#options.term)) {
      this.#options.channel.nack(message, false, false)
    } else this.#accept(message, asked)
  }

  #accept(message: ConsumeMessage, { replyTo, commands }: WriteMessage): void {
    this.#waiting.push({ message, replyTo, commands, receivedMs: nowMs() })
    this.#begin()
  }

  #begin(): void {
    if (this.#executing || this.#waiting.length === 0) return
    this.#executing = true
    this.done = this.done.then(() => this.#execute()).catch(this.#options.failed)
  }

  lost(): void {
    if (this.#open) this.#options.drop()
  }

  /** Unanswered deliveries go back to the queue with the channel. */
  close(): void {
    this.#open = false
    this.#waiting = []
    this.#held = []
    void this.#options.channel.close().catch(() => {})
  }

  /** Begins what waited for a handover that came to nothing, and lets answers go. */
  step(view: View): void {
    if (mayExecute(view)) this.#begin()
    this.release(view)
  }

  release(view: View): void {
    while (this.#held[0] !== undefined && mayLeave(this.#held[0], view)) {
      const { deliveries, replies, sinceMs, told } = this.#held.shift() as Held
      const { channel, link, times } = this.#options
      whileOpen(() => {
        for (const [replyTo, answers] of replies) {
          const messages = encodeReplies(answers)
          for (const message of messages) link.publishing.sendToQueue(replyTo, message)
        }
        // Answered in the order in which they came, so one acknowledgement is for all.
        const last = deliveries.at(-1)
        if (last !== undefined) channel.ack(last.message, true)
      })
      times.confirm(nowMs() - sinceMs)
      told()
    }
  }

  async #execute(): Promise<void> {
    while (this.#open && this.#waiting.length > 0 && mayExecute(this.#options.loop.view)) {
      const deliveries = this.#nextBatch()
      await this.#executeBatch(deliveries)
    }
    this.#executing = false
  }

  #nextBatch(): readonly Delivery[] {
    let commands = 0
    let count = 0
    for (const delivery of this.#waiting) {
      commands += delivery.commands.length
      if (count > 0 && commands > BATCH_COMMANDS) break
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #executeBatch(deliveries: readonly Delivery[]): Promise<void> {
    const { loop, store, term, times, teller } = this.#options
    const beganMs = nowMs()
    for (const { receivedMs } of deliveries) times.queue(beganMs - receivedMs)
    // Nobody waits any more for what has passed its deadline.
    const alive = deliveries.flatMap(({ commands, replyTo, receivedMs }) =>
      commands
        .filter(command => beganMs - receivedMs < command.ttlMs)
        .map(command => ({ command, replyTo, receivedMs }))
    )
    const commands = alive.map(({ command }) => command)
    loop.dispatch({ kind: 'executing' })
    const { committedMs } = store
    let executed: readonly Executed[]
    try {
      executed = commands.length === 0 ? [] : (await store.execute(commands, term)).map(settled)
    } catch (error) {
      return loop.dispatch(refusal(error, store.last))
    }
    const commitMs = store.committedMs - committedMs
    times.executed({ commands: commands.length, ms: nowMs() - beganMs - commitMs, commitMs })
    const before = loop.state.last.index
    const asked = alive.map(({ command, replyTo }) => ({ id: command.requestId, replyTo }))
    const told = teller.begin({ term, writes: alive, executed })
    if (this.#open) this.#held.push(hold({ deliveries, asked, executed, before, told }))
    const entries = executed.flatMap((outcome): Entry[] =>
      outcome.kind === 'entry' ? [outcome.entry] : []
    )
    loop.dispatch({ kind: 'executed', term, entries })
    this.release(loop.view)
  }
}

/** Null for what no orchestrator sends: it must not end one master after the other. */
function decoded(message: ConsumeMessage): WriteMessage | null {
  try {
    return decodeWrites(message.content)
  } catch {
    return null
  }
}

/** @param batch.before end of the log before the batch: what was refused rests on nothing newer */
function hold(batch: {
  deliveries: readonly Delivery[]
  asked: readonly { id: string; replyTo: string }[]
  executed: readonly Executed[]
  before: number
  told: () => void
}): Held {
  const replies = new Map<string, Reply[]>()
  for (const [i, outcome] of batch.executed.entries()) {
    const { id = '', replyTo = '' } = batch.asked[i] ?? {}
    const answers = replies.get(replyTo) ?? []
    replies.set(replyTo, answers)
    answers.push(replyOf(id, outcome))
  }
  const index = toldAt(batch.before, batch.executed)
  const { deliveries, told } = batch
  return { index, deliveries, replies, sinceMs: nowMs(), told }
}

/** Nothing is postponed where no bystanders were named. */
function settled(outcome: Executed | Postponed): Executed {
  if (outcome.kind === 'postponed') throw new Error('a command was postponed unasked')
  return outcome
}

function replyOf(id: string, outcome: Executed): Reply {
  if (outcome.kind === 'refused') {
    return { id, kind: 'write', status: outcome.status, body: outcome.result }
  }
  const { index, term, status, result } = outcome.kind === 'entry' ? outcome.entry : outcome
  const body = writeBody({ requestId: id, index, term, status, result })
  return { id, kind: 'write', status, body }
}
