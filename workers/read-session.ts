/**
 * The reads that one channel delivered, from taking them to their answers.
 * Invariants: no answer leaves before what it shows is committed here (and, at the
 * master, a barrier sent after the snapshot has passed); a delivery is acknowledged
 * when none of its reads is left.
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import { type AmqpLink, whileOpen } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import { STRONG_QUEUE } from '../platform/wire/queues.ts'
import {
  decodeReads,
  encodeMessage,
  encodeReplies,
  isCommand,
  type LogEnd,
  type OutcomeQuery,
  type ReadCommand,
  type ReadMessage,
  type ReadRequest,
  type Reply
} from '../platform/wire/requests.ts'
import { type Loop, nowMs } from './loop.ts'
import { barrierFor, isBeyond, mayLeave } from './protocol/answers.ts'
import { mayServe } from './protocol/view.ts'
import type { ReadResult, Store } from './store.ts'

/** Answers ready to go once `index` is committed and, at the master, `barrier` has passed. */
interface Held {
  readonly index: number
  barrier?: number | null
  readonly send: () => void
}

export interface ReadSessionOptions {
  readonly loop: Loop
  readonly store: Store
  readonly sessionWaitMs: number
  readonly failed: (error: unknown) => void
  readonly drop: () => void
  readonly channel: Channel
  readonly link: AmqpLink
  readonly strong: boolean
  readonly count: (reads: number) => void
  readonly log: Logger
}

/** A message in work; it is acknowledged when none of its reads is left. */
interface Job {
  readonly message: ConsumeMessage
  readonly replyTo: string
  left: number
}

export class ReadSession {
  readonly #options: ReadSessionOptions
  #held: Held[] = []
  #late: { readonly until: number; readonly index: number; readonly go: () => void }[] = []
  #open = true
  #finishing = false
  /** RabbitMQ has said so, or is gone: what it had on the way to here has come. */
  #nothingComes = false
  #inWork = 0
  #consumerTag: string | null = null

  constructor(options: ReadSessionOptions) {
    this.#options = options
  }

  async consume(queue: string): Promise<void> {
    const { channel, loop, strong, failed } = this.#options
    const take = (message: ConsumeMessage | null) => {
      if (message === null) this.lost()
      if (message === null || !this.#open) return
      if (message.fields.redelivered) this.#options.log.debug({ queue }, 'delivered again')
      if (!this.#mayTake()) return channel.nack(message)
      this.#inWork += 1
      void this.#answer(message).catch(failed)
    }
    // Of two masters the later is served first (see writes.ts).
    const { consumerTag } = await channel.consume(
      queue,
      take,
      strong ? { priority: loop.view.term } : {}
    )
    this.#consumerTag = consumerTag
    if (this.#finishing) this.finish()
  }

  lost(): void {
    this.#nothingComes = true
    if (this.#open) this.#options.drop()
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#held = []
    for (const read of this.#late.splice(0)) read.go()
    void this.#options.channel.close().catch(() => {})
  }

  #mayTake(): boolean {
    const { loop, strong } = this.#options
    return strong || mayServe(loop.state, nowMs())
  }

  finish(): void {
    this.#finishing = true
    if (this.#consumerTag === null) return
    const over = () => {
      this.#nothingComes = true
    }
    void this.#options.channel.cancel(this.#consumerTag).then(over, over)
    this.#consumerTag = null
  }

  /** Lets go what may go. @returns false when this session is over */
  step(): boolean {
    const { loop, strong } = this.#options
    if (this.#late.length > 0) this.#wakeLate()
    if (this.#held.length > 0) {
      const { view } = loop
      const leaving = this.#held.filter(held => mayLeave(held, view))
      if (leaving.length > 0) this.#held = this.#held.filter(held => !leaving.includes(held))
      for (const held of leaving) held.send()
      if (strong) this.#wantBarrier()
    }
    const isDone = this.#nothingComes && this.#inWork === 0
    if (this.#finishing && (isDone || loop.view.diverged)) this.close()
    return this.#open
  }

  #wakeLate(): void {
    const applied = this.#options.loop.state.last.index
    const time = nowMs()
    const ready = this.#late.filter(read => read.index <= applied || read.until <= time)
    if (ready.length === 0) return
    this.#late = this.#late.filter(read => !ready.includes(read))
    for (const read of ready) read.go()
  }

  /** One barrier, sent after the snapshots were taken, serves all reads that wait. */
  #wantBarrier(): void {
    const { loop } = this.#options
    const barrier = barrierFor(this.#held, loop.state.role, loop.view)
    if (barrier === null) return
    for (const held of this.#held) held.barrier ??= barrier
    loop.dispatch({ kind: 'barrierWanted' })
  }

  async #answer(message: ConsumeMessage): Promise<void> {
    const asked = decoded(message)
    if (asked === null) {
      this.#inWork -= 1
      this.#options.channel.nack(message, false, false)
      return
    }
    const { replyTo, reads } = asked
    const job: Job = { message, replyTo, left: reads.length }
    const late = this.#options.strong ? [] : reads.filter(read => this.#isBeyond(read))
    const ready = late.length === 0 ? reads : reads.filter(read => !late.includes(read))
    await Promise.all([this.#serve(job, ready), this.#serveLate(job, late)])
  }

  #isBeyond(read: ReadRequest): boolean {
    return isCommand(read) && isBeyond(read.minIndex, this.#options.loop.state)
  }

  /** Waits for the index; what does not get it in time goes to the master. */
  async #serveLate(job: Job, reads: readonly ReadRequest[]): Promise<void> {
    if (reads.length === 0) return
    const index = Math.max(...reads.map(read => (isCommand(read) ? (read.minIndex ?? 0) : 0)))
    const until = nowMs() + this.#options.sessionWaitMs
    await new Promise<void>(go => this.#late.push({ index, until, go }))
    const beyond = reads.filter(read => this.#isBeyond(read))
    if (beyond.length > 0) this.#forward(job, beyond)
    await this.#serve(
      job,
      reads.filter(read => !beyond.includes(read))
    )
  }

  #forward(job: Job, reads: readonly ReadRequest[]): void {
    if (!this.#open) return
    const expiration = Math.max(1, ...reads.map(read => read.ttlMs))
    const content = encodeMessage({ replyTo: job.replyTo, reads })
    const { publishing } = this.#options.link
    whileOpen(() => publishing.sendToQueue(STRONG_QUEUE, content, { expiration }))
    this.#settle(job, reads.length)
  }

  async #serve(job: Job, reads: readonly ReadRequest[]): Promise<void> {
    if (reads.length === 0) return
    const results = await this.#run(reads, this.#options.store)
    if (!this.#open) return
    const replies = results.map(({ answer }, i): Reply => {
      return { id: reads[i]?.readId ?? '', kind: 'read', status: answer.status, body: answer.body }
    })
    const applied = Math.max(0, ...results.map(result => result.applied))
    const send = () => {
      const { publishing } = this.#options.link
      whileOpen(() => {
        for (const message of encodeReplies(replies)) publishing.sendToQueue(job.replyTo, message)
      })
      this.#options.count(replies.length)
      this.#settle(job, replies.length)
    }
    this.#held.push({ index: applied, ...(this.#options.strong && { barrier: null }), send })
    this.step()
  }

  #settle(job: Job, reads: number): void {
    job.left -= reads
    if (job.left > 0) return
    whileOpen(() => this.#options.channel.ack(job.message))
    this.#inWork -= 1
  }

  async #run(reads: readonly ReadRequest[], store: Store): Promise<ReadResult[]> {
    const end = this.#options.loop.state.last.index
    const commands: ReadCommand[] = []
    const results = new Map<string, Promise<ReadResult> | ReadResult>()
    for (const read of reads) {
      if (!isCommand(read)) results.set(read.readId, this.#tell(read, end))
      else if (this.#options.strong && (read.minIndex ?? 0) > end) {
        results.set(read.readId, unknownIndex(end))
      } else commands.push(read)
    }
    const answers = commands.length === 0 ? [] : await store.read(commands)
    for (const [i, { readId }] of commands.entries()) {
      const answer = answers[i]
      if (answer !== undefined) results.set(readId, answer)
    }
    return Promise.all(reads.flatMap(read => results.get(read.readId) ?? []))
  }

  #tell(query: Exclude<ReadRequest, ReadCommand>, end: number): Promise<ReadResult> | ReadResult {
    const { store, loop } = this.#options
    if ('outcomeOf' in query) return outcomeOf(store, query, end)
    if ('dependenceOf' in query) return store.dependence(query.dependenceOf)
    const told: LogEnd = { index: end, term: loop.view.term, workerId: loop.state.self.id }
    return { applied: end, answer: { status: 200, body: JSON.stringify(told) } }
  }
}

/** Null for what no orchestrator sends: it must not end one worker after the other. */
function decoded(message: ConsumeMessage): ReadMessage | null {
  try {
    return decodeReads(message.content)
  } catch {
    return null
  }
}

async function outcomeOf(store: Store, query: OutcomeQuery, end: number): Promise<ReadResult> {
  const found = await store.outcome(query.outcomeOf)
  if (found !== undefined) return { applied: found.index, answer: found.answer }
  const message = 'the log holds no write with this request id so far'
  const body = JSON.stringify({ code: 'CONVOY_UNKNOWN_REQUEST', message })
  return { applied: end, answer: { status: 404, body } }
}

function unknownIndex(end: number): ReadResult {
  const message = `minIndex is beyond the end of the log, which is ${end}`
  const body = JSON.stringify({ code: 'CONVOY_INDEX_UNKNOWN', message })
  return { applied: 0, answer: { status: 400, body } }
}
