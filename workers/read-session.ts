/**
 * The reads that one channel delivered, from taking them to their answers.
 * Invariants:
 * - No answer leaves before what it shows is committed here (and, at the master, a barrier
 *   sent after the snapshot has passed).
 * - A delivery is acknowledged when each of its reads is answered, forwarded, or told to its
 *   orchestrator in a note.
 * - What is delivered again is not executed: a worker may have ended by it. Its orchestrator is
 *   told, and decides (docs/decisions/reads-are-fair.md).
 */
import { setInterval } from 'node:timers'
import type { Channel, ConsumeMessage } from 'amqplib'
import { type AmqpLink, whileOpen } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import { LASTS_MS } from '../platform/shares/paces.ts'
import { STRONG_QUEUE } from '../wire/queues.ts'
import {
  decodeReads,
  encodeMessage,
  isCommand,
  type Note,
  type ReadCommand,
  type ReadMessage,
  type ReadRequest,
  type Reply
} from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import type { Loop } from './loop.ts'
import { isLarge, type Outbox } from './outbox.ts'
import { barrierFor, isBeyond, mayLeave } from './protocol/answers.ts'
import { mayServe } from './protocol/view.ts'
import { type Done, ReadGroup, ReadJob } from './read-job.ts'
import type { ReadNotes } from './read-notes.ts'
import { answerQuery, unknownIndex } from './read-queries.ts'
import type { ReadResult, Store } from './store.ts'
import { Suspects } from './suspects.ts'

/** Signs of life, so often: their orchestrators send a copy of what is silent for longer. */
const SIGNS_MS = 100
/** Messages that wait for an index; more go to the master at once, for each holds one of the prefetch. */
const LATE_MAX = 8

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
  readonly outbox: Outbox
  readonly notes: ReadNotes
  readonly strong: boolean
  readonly count: (reads: number) => void
  readonly log: Logger
}

export class ReadSession {
  readonly #options: ReadSessionOptions
  #held: Held[] = []
  #late: { readonly until: number; readonly index: number; readonly go: () => void }[] = []
  #open = true
  #finishing = false
  /** RabbitMQ has said so, or is gone: what it had on the way to here has come. */
  #nothingComes = false
  readonly #jobs = new Set<ReadJob>()
  readonly #suspects: Suspects
  readonly #signs: NodeJS.Timeout
  #consumerTag: string | null = null

  constructor(options: ReadSessionOptions) {
    this.#options = options
    this.#suspects = new Suspects({
      begins: (read, replyTo) => options.notes.confirm(replyTo, [read], 'begun'),
      read: (reads, begins) => options.store.read(reads, begins)
    })
    this.#signs = setInterval(() => void this.#giveSigns(), SIGNS_MS)
  }

  async consume(queue: string): Promise<void> {
    const { channel, loop, strong, failed } = this.#options
    const take = (message: ConsumeMessage | null) => {
      if (message === null) this.lost()
      if (message === null || !this.#open) return
      void this.#take(message).catch(failed)
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
    clearInterval(this.#signs)
    this.#held = []
    for (const job of this.#jobs) this.#giveBack(job)
    for (const read of this.#late.splice(0)) read.go()
    this.#options.notes.close()
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
    const isDone = this.#nothingComes && this.#jobs.size === 0
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

  async #take(message: ConsumeMessage): Promise<void> {
    const { channel, strong, log } = this.#options
    const asked = decoded(message)
    if (asked === null) return channel.nack(message, false, false)
    const job = new ReadJob(message, asked)
    this.#jobs.add(job)
    if (!this.#mayTake()) return this.#giveBack(job)
    if (message.fields.redelivered) {
      log.debug({ reads: asked.reads.length, strong }, 'reads were delivered again')
      this.#tellReturned(job)
    }
    const reads = [...job.left]
    const late = strong ? [] : reads.filter(read => this.#isBeyond(read))
    const ready = late.length === 0 ? reads : reads.filter(read => !late.includes(read))
    this.#serve(job, ready)
    await this.#serveLate(job, late)
  }

  /** Those that run a user's text. */
  #tellReturned(job: ReadJob): void {
    const commands = [...job.left].filter(isCommand)
    this.#note(job, commands, 'returned')
    // Asked again by whoever needs to know, once such a statement was answered.
    const analyses = [...job.left].filter(read => 'dependenceOf' in read)
    this.#settle(job, [...commands, ...analyses])
  }

  /** Not executed, or at least not answered, by no fault of theirs. */
  #giveBack(job: ReadJob): void {
    const { redelivered } = job.message.fields
    this.#note(job, [...job.left].filter(isCommand), redelivered ? 'returned' : 'busy')
    if ([...job.left].every(isCommand)) this.#settle(job, [...job.left])
    else {
      this.#jobs.delete(job)
      whileOpen(() => this.#options.channel.nack(job.message))
    }
  }

  #isBeyond(read: ReadRequest): boolean {
    return isCommand(read) && isBeyond(read.minIndex, this.#options.loop.state)
  }

  /** Waits for the index; what does not get it in time goes to the master. */
  async #serveLate(job: ReadJob, reads: readonly ReadRequest[]): Promise<void> {
    if (reads.length === 0) return
    if (this.#late.length >= LATE_MAX) return this.#forward(job, reads)
    const index = Math.max(...reads.map(read => (isCommand(read) ? (read.minIndex ?? 0) : 0)))
    const until = nowMs() + this.#options.sessionWaitMs
    await new Promise<void>(go => this.#late.push({ index, until, go }))
    const beyond = reads.filter(read => this.#isBeyond(read))
    if (beyond.length > 0) this.#forward(job, beyond)
    const ready = reads.filter(read => !beyond.includes(read))
    this.#serve(job, ready)
  }

  #forward(job: ReadJob, reads: readonly ReadRequest[]): void {
    if (!this.#open) return
    const expiration = Math.max(1, ...reads.map(read => read.ttlMs))
    const content = encodeMessage({ replyTo: job.replyTo, reads })
    const { publishing } = this.#options.link
    whileOpen(() => publishing.sendToQueue(STRONG_QUEUE, content, { expiration }))
    this.#settle(job, reads)
  }

  /** Quick ones are answered together, others each when it is ready. */
  #serve(job: ReadJob, asked: readonly ReadRequest[]): void {
    if (!this.#open) return
    const reads = this.#withoutTooMany(job, asked)
    if (reads.length === 0) return
    const group = new ReadGroup(reads.length, done => this.#hold(job, done))
    const end = this.#options.loop.state.last.index
    const commands: ReadCommand[] = []
    for (const read of reads) {
      job.running.add(read)
      const result = this.#resultOf(job, read, end)
      if (result === undefined) commands.push(read as ReadCommand)
      else this.#await(job, group, read, result)
    }
    if (commands.length === 0) return
    for (const [i, result] of this.#options.store.read(commands).entries()) {
      const read = commands[i]
      if (read !== undefined) this.#await(job, group, read, result)
    }
  }

  /** Undefined for a read that the store runs with others. */
  #resultOf(
    { replyTo }: ReadJob,
    read: ReadRequest,
    end: number
  ): Promise<ReadResult> | ReadResult | undefined {
    const { loop, store, strong } = this.#options
    if (!isCommand(read)) return answerQuery(read, { loop, store, end })
    if (strong && (read.minIndex ?? 0) > end) return unknownIndex(end)
    return read.suspect ? this.#suspects.run(read, replyTo) : undefined
  }

  /** Not executed: answers of their clients wait already, for more than a worker should hold. */
  #withoutTooMany(job: ReadJob, reads: readonly ReadRequest[]): readonly ReadRequest[] {
    const { outbox } = this.#options
    const tooMany = reads.filter(
      read => isCommand(read) && !read.suspect && outbox.isFullFor(read.client ?? '')
    )
    if (tooMany.length === 0) return reads
    this.#note(job, tooMany, 'busy')
    this.#settle(job, tooMany)
    return reads.filter(read => !tooMany.includes(read))
  }

  #await(
    job: ReadJob,
    group: ReadGroup,
    read: ReadRequest,
    result: Promise<ReadResult> | ReadResult
  ): void {
    const heard = (result: ReadResult) => {
      job.running.delete(read)
      const { note } = result
      group.heard(note === undefined ? { read, result } : undefined)
      if (note === undefined || !this.#open) return
      if (note !== 'expired') this.#note(job, [read], note)
      this.#settle(job, [read])
    }
    if (result instanceof Promise) result.then(heard).catch(this.#options.failed)
    else heard(result)
  }

  #hold(job: ReadJob, done: readonly Done[]): void {
    if (!this.#open) return
    const applied = Math.max(0, ...done.map(({ result }) => result.applied))
    const send = () => {
      for (const one of done) job.leaving.add(one.read)
      const small = done.filter(({ result }) => !isLarge(result.answer))
      for (const one of done) if (!small.includes(one)) this.#send(job, [one])
      if (small.length > 0) this.#send(job, small)
    }
    this.#held.push({ index: applied, ...(this.#options.strong && { barrier: null }), send })
    this.step()
  }

  /** Large answers may wait; then their delivery does too. */
  #send(job: ReadJob, done: readonly Done[]): void {
    const reads = done.map(({ read }) => read)
    const [first] = reads
    const { outbox, count } = this.#options
    outbox.send({
      replyTo: job.replyTo,
      replies: done.map(replyOf),
      client: first !== undefined && isCommand(first) ? (first.client ?? '') : '',
      isWrite: false,
      expiresAtMs: job.takenMs + Math.max(0, ...reads.map(({ ttlMs }) => ttlMs)),
      left: () => {
        count(done.length)
        this.#settle(job, reads)
      }
    })
  }

  #settle(job: ReadJob, reads: readonly ReadRequest[]): void {
    for (const read of reads) {
      job.left.delete(read)
      job.leaving.delete(read)
    }
    if (job.left.size > 0 || !this.#jobs.delete(job)) return
    whileOpen(() => this.#options.channel.ack(job.message))
  }

  #note({ replyTo }: ReadJob, reads: readonly ReadRequest[], note: Note): void {
    this.#options.notes.note(replyTo, reads, note)
  }

  /** For reads that wait or run here, and only while the database answers. */
  async #giveSigns(): Promise<void> {
    const time = nowMs()
    const lasting = [...this.#jobs].filter(
      ({ takenMs, running, leaving }) =>
        running.size + leaving.size > 0 && time - takenMs >= LASTS_MS
    )
    if (lasting.length === 0 || !(await this.#options.store.isWell()) || !this.#open) return
    for (const job of lasting) {
      this.#note(job, [...job.running, ...job.leaving].filter(isCommand), 'running')
    }
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

function replyOf({ read, result: { answer, tookMs = 0 } }: Done): Reply {
  const { readId: id } = read
  const reply = { id, kind: 'read', status: answer.status, body: answer.body } as const
  return tookMs < 1 ? reply : { ...reply, tookMs: Math.floor(tookMs) }
}
