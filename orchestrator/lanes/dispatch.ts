/**
 * Sends what the lanes decide to RabbitMQ, and brings the replies back to the
 * callers. All waiting requests live here, in memory: whatever ends a link or a
 * master, they are sent again until a reply or their deadline comes. While RabbitMQ
 * is away they stay in the lanes, where they are bounded; while it is there and takes
 * nothing, what was not sent is refused.
 */
import { setInterval } from 'node:timers'
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib'
import { type Amqp, type AmqpLink, openAmqp, whileOpen } from '../../platform/amqp.ts'
import type { Logger } from '../../platform/log.ts'
import { OverloadedError } from '../../wire/errors.ts'
import {
  READ_QUEUE,
  replyQueueOf,
  SHARED_QUEUE,
  STRONG_QUEUE,
  WRITE_QUEUE
} from '../../wire/queues.ts'
import { decodeReplies } from '../../wire/requests.ts'
import type { Report } from '../../wire/verify.ts'
import { digestOf } from './harmful-reads.ts'
import type { Batch, Lane, LaneLimits, Sendable } from './lane.ts'
import type { Leadership } from './leadership.ts'
import { type PendingRead, type ReadLane, readText } from './pending-reads.ts'
import {
  type Answer,
  type Caller,
  commandText,
  latestDeadlineMs,
  type PendingWrite,
  type WriteAsk
} from './pending-writes.ts'
import { type ReadFields, ReadLanes, type ReadRoad } from './read-lanes.ts'
import { Turns } from './turns.ts'
import { WriteLanes, type WriteRoad } from './write-lanes.ts'

/**
 * Batches of reads under way of which nothing was heard: far from what a queue takes, and as
 * many as two replicas have in work.
 */
const READS_UNHEARD_MAX = 64
/** Several replicas read at once: a quick read must not wait for the end of a slow one. */
const READS_BESIDE_OTHERS_MS = 3
/** Of all bytes that may be on their way, for each of the four lanes of reads. */
const READS_SHARE = 1 / 16
/** Finds what is late and what place is free again. */
const SWEEP_MS = 20

export interface DispatchOptions {
  readonly url: string
  readonly orchestratorId: string
  readonly log: Logger
  readonly lanes: LaneLimits
  readonly hedgeMs: number
  readonly onBatch?: (queue: string, size: number) => void
  /** Told of each new link to RabbitMQ. */
  readonly onLink?: (link: AmqpLink) => void
  /** Told of a read that brought down two workers. */
  readonly onHarmfulRead?: (requestId: string) => void
}

/** Without the times, which are counted from the call. */
export type AskedWrite = Omit<WriteAsk, 'deadlineMs'>

export interface Dispatch extends AsyncDisposable {
  readonly up: boolean
  readonly link: AmqpLink | undefined
  readonly depths: Readonly<Record<string, number>>
  readonly unanswered: { readonly writes: number; readonly reads: number }
  /** Writes answered so far, but for answers that say that the server cannot. */
  readonly writesAnswered: number
  /** Bytes of large writes that are answered in time, those included that are here already. */
  largeRoomBytes(ttlMs: number): number
  /** @throws ServiceError when the lane is full, refused by the broker, or the deadline has passed */
  write(ask: AskedWrite, ttlMs: number): Promise<Answer>
  /** @param fields of the wire's read, without its id and time */
  read(lane: ReadLane, fields: object, ttlMs: number): Promise<Answer>
  /** What is known of the master has changed. In another term, what a former one may hold is sent again. */
  follow(leadership: Leadership): void
  resizeLanes(limits: LaneLimits): void
  /** How many orchestrators there are, this one included, which share the bytes on their way. */
  shareWith(orchestrators: number): void
  /** Where replies come to now; '' before the first link to RabbitMQ. */
  readonly replyTo: string
  /** Told of what workers report of verifications. */
  onReport(listener: (report: Report) => void): Disposable
}

/** Whether RabbitMQ takes messages. */
export function brokerOf({ up, link }: Pick<Dispatch, 'up' | 'link'>): 'up' | 'down' | 'blocked' {
  if (!up) return 'down'
  return link?.blocked === true ? 'blocked' : 'up'
}

export function openDispatch(options: DispatchOptions): Dispatch {
  return new AmqpDispatch(options)
}

/** One lane with what it needs to make messages. */
interface Sender<T extends Sendable> {
  readonly queue: string
  /** Whether RabbitMQ is to confirm each batch; of others the replies tell (docs/decisions). */
  readonly confirmed: boolean
  /** Whether its messages are large: they have a connection of their own. */
  readonly bulk: boolean
  readonly lane: Lane<T>
  /** Before the lane is asked what to send. */
  fill(nowMs: number): void
  sending(item: T, nowMs: number): void
  encode(items: readonly T[], nowMs: number): string
  ttlMs(item: T, nowMs: number): number
  /** By RabbitMQ. */
  refused(item: T): void
}

class AmqpDispatch implements Dispatch {
  writesAnswered = 0
  readonly #options: DispatchOptions
  readonly #amqp: Amqp
  readonly #writes: WriteLanes
  readonly #reads: ReadLanes
  readonly #writeSenders: readonly Sender<PendingWrite>[]
  readonly #readSenders: readonly Sender<PendingRead>[]
  readonly #sweep: NodeJS.Timeout
  readonly #turns = new Turns(nowMs => this.#flush(nowMs))
  /** To be shared by all orchestrators. */
  #limits: LaneLimits
  #orchestrators = 1
  #channel: ConfirmChannel | undefined
  #bulk: ConfirmChannel | undefined
  #unconfirming: Channel | undefined
  #replyTo = ''
  readonly #reportListeners = new Set<(report: Report) => void>()
  #term = 0

  constructor(options: DispatchOptions) {
    this.#options = options
    this.#limits = options.lanes
    this.#writes = new WriteLanes({ limits: options.lanes, hedgeMs: options.hedgeMs })
    this.#reads = new ReadLanes({
      limits: readLimits(options.lanes),
      hedgeMs: options.hedgeMs,
      onHarmful: read => this.#onHarmful(read)
    })
    this.#writeSenders = this.#writes.roads.map(road => this.#writeSender(road))
    this.#readSenders = this.#reads.roads.map(road => this.#readSender(road))
    this.#sweep = setInterval(() => this.#onSweep(performance.now()), SWEEP_MS)
    this.#amqp = openAmqp({
      url: options.url,
      name: `orchestrator ${options.orchestratorId}`,
      log: options.log,
      bulk: true,
      setup: link => this.#connect(link),
      down: () => this.#disconnect()
    })
  }

  get up(): boolean {
    return this.#amqp.up
  }

  get link(): AmqpLink | undefined {
    return this.#amqp.link
  }

  get depths(): Readonly<Record<string, number>> {
    return {
      [WRITE_QUEUE]: this.#writes.depth,
      [READ_QUEUE]: this.#reads.depthOf('readQ'),
      [STRONG_QUEUE]: this.#reads.depthOf('strongQ')
    }
  }

  get unanswered() {
    return { writes: this.#writes.size, reads: this.#reads.size }
  }

  get replyTo(): string {
    return this.#replyTo
  }

  onReport(listener: (report: Report) => void): Disposable {
    this.#reportListeners.add(listener)
    return { [Symbol.dispose]: () => this.#reportListeners.delete(listener) }
  }

  largeRoomBytes(ttlMs: number): number {
    return Math.min(this.#limits.waitingMaxBytes, this.#writes.largeRoomBytes(ttlMs))
  }

  async write(ask: AskedWrite, ttlMs: number): Promise<Answer> {
    return new Promise((answer, refuse) => {
      const nowMs = performance.now()
      this.#refuseWhileBlocked()
      this.#writes.ask({ ...ask, deadlineMs: nowMs + ttlMs }, { answer, refuse }, nowMs)
      this.#turns.soon()
    })
  }

  async read(lane: ReadLane, fields: object, ttlMs: number): Promise<Answer> {
    return new Promise((answer, refuse) => {
      const nowMs = performance.now()
      const caller: Caller = { answer, refuse }
      this.#refuseWhileBlocked()
      this.#reads.ask(lane, fields as ReadFields, { nowMs, deadlineMs: nowMs + ttlMs, caller })
      this.#turns.soon()
    })
  }

  /** Its memory or its disk is full. That passes, but nobody knows when. */
  #refuseWhileBlocked(): void {
    if (this.#broker === 'blocked') {
      throw new OverloadedError('RabbitMQ takes no messages at present')
    }
  }

  follow({ term, led, orderly }: Leadership): void {
    if (term < this.#term) return
    if (term === this.#term) {
      this.#writes.led = led
      return
    }
    this.#term = term
    const again = this.#writes.newTerm(term, orderly)
    this.#reads.newTerm(orderly)
    const suspects = again.filter(({ suspect }) => suspect).length
    this.#options.log.info(
      { term, again: again.length, suspects },
      'term began; unanswered requests are sent again'
    )
    this.#turns.soon()
  }

  resizeLanes(limits: LaneLimits): void {
    this.#limits = limits
    this.#resize()
  }

  shareWith(orchestrators: number): void {
    if (orchestrators === this.#orchestrators) return
    this.#orchestrators = orchestrators
    this.#resize()
  }

  #resize(): void {
    const { inFlightMaxBytes, ...limits } = this.#limits
    const bytes = inFlightMaxBytes && { inFlightMaxBytes: inFlightMaxBytes / this.#orchestrators }
    const share: LaneLimits = { ...limits, ...bytes }
    this.#writes.resize(share)
    this.#reads.resize(readLimits(share))
    this.#turns.soon()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    this.#turns[Symbol.dispose]()
    await this.#amqp[Symbol.asyncDispose]()
    this.#writes.sweep(Number.POSITIVE_INFINITY, 'down')
    this.#reads.sweep(Number.POSITIVE_INFINITY, false)
  }

  #writeSender({ lane, bulk }: WriteRoad): Sender<PendingWrite> {
    return {
      ...{ queue: WRITE_QUEUE, confirmed: true, bulk, lane },
      fill: () => {},
      sending: (write, nowMs) => this.#writes.sent(write, this.#term, nowMs),
      encode: (items, nowMs) =>
        `{"replyTo":"${this.#replyTo}","term":${this.#term},"commands":[${items.map(write => commandText(write, nowMs))}]}`,
      ttlMs: (write, nowMs) => latestDeadlineMs(write) - nowMs,
      refused: write => this.#writes.refused(write)
    }
  }

  #readSender({ queue, lane, fill }: ReadRoad): Sender<PendingRead> {
    return {
      ...{ lane, fill, confirmed: false, bulk: false },
      queue: queue === 'readQ' ? READ_QUEUE : STRONG_QUEUE,
      sending: (read, nowMs) => this.#reads.sent(read, queue, nowMs),
      encode: (items, nowMs) =>
        `{"replyTo":"${this.#replyTo}","reads":[${items.map(read => readText(read, nowMs))}]}`,
      ttlMs: (read, nowMs) => read.deadlineMs - nowMs,
      refused: () => {}
    }
  }

  #onHarmful({ client, traceId: requestId, sql }: PendingRead): void {
    const read = { requestId, client, statement: digestOf(sql) }
    this.#options.log.warn(read, 'a read brought down two workers; it is refused')
    this.#options.onHarmfulRead?.(requestId)
  }

  async #connect(link: AmqpLink): Promise<void> {
    const channel = await this.#confirming(link.publishConnection)
    const bulk = await this.#confirming(link.bulkConnection)
    for (const queue of [WRITE_QUEUE, READ_QUEUE, STRONG_QUEUE])
      await link.consuming.assertQueue(queue, SHARED_QUEUE)
    // A name of its own: the broker may keep a frozen connection's exclusive names locked.
    const replyTo = `${replyQueueOf(this.#options.orchestratorId)}.${link.n}`
    await link.consuming.assertQueue(replyTo, { exclusive: true, durable: false })
    const consume = (message: ConsumeMessage | null) => {
      if (message === null) return this.#amqp.drop() // cancelled by the broker
      this.#onReplies(message.content)
      sayTaken(link, message)
    }
    await link.consuming.consume(replyTo, consume, { noAck: true })
    this.#options.onLink?.(link)
    this.#channel = channel
    this.#bulk = bulk
    this.#unconfirming = link.publishing
    this.#replyTo = replyTo
    this.#writes.connected()
    this.#reads.connected()
    this.#turns.soon()
  }

  async #confirming(connection: ChannelModel): Promise<ConfirmChannel> {
    const channel = await connection.createConfirmChannel()
    channel.on('error', err => this.#options.log.warn({ err }, 'publishing channel failed'))
    // Before amqplib calls back for all that is unconfirmed: nobody has refused it.
    channel.prependListener('close', () => {
      if (channel !== this.#channel && channel !== this.#bulk) return
      this.#disconnect()
      this.#amqp.drop()
    })
    return channel
  }

  #disconnect(): void {
    this.#channel = undefined
    this.#bulk = undefined
    this.#writes.disconnected()
    this.#reads.disconnected()
  }

  get #broker() {
    return brokerOf(this.#amqp)
  }

  #flush(nowMs: number): void {
    if (this.#channel === undefined || this.#broker === 'blocked') return
    for (const sender of this.#writeSenders) this.#send(sender, nowMs)
    for (const sender of this.#readSenders) this.#send(sender, nowMs)
  }

  #send<T extends Sendable>(sender: Sender<T>, nowMs: number): void {
    for (;;) {
      const channel = sender.bulk ? this.#bulk : this.#channel
      if (channel === undefined) return
      sender.fill(nowMs)
      const batch = sender.lane.next(nowMs)
      if (batch === undefined) {
        this.#turns.at(sender.lane.gathersUntilMs(nowMs), nowMs)
        return
      }
      for (const item of batch.items) sender.sending(item, nowMs)
      const ttls = batch.items.map(item => sender.ttlMs(item, nowMs))
      const expiration = String(Math.max(1, Math.ceil(Math.max(...ttls))))
      const content = Buffer.from(sender.encode(batch.items, nowMs))
      const { queue } = sender
      this.#options.onBatch?.(queue, batch.items.length)
      const confirm = (err: unknown) => {
        if (channel === this.#channel || channel === this.#bulk)
          this.#onConfirm(sender, batch, err !== null)
      }
      whileOpen(() => {
        if (sender.confirmed) channel.sendToQueue(queue, content, { expiration }, confirm)
        else this.#unconfirming?.sendToQueue(queue, content, { expiration })
      })
    }
  }

  #onConfirm<T extends Sendable>(sender: Sender<T>, batch: Batch<T>, refused: boolean): void {
    sender.lane.heard(batch)
    if (refused) {
      this.#options.log.debug({ queue: sender.queue }, 'RabbitMQ refused a batch')
      for (const item of batch.items) sender.refused(item)
    }
    this.#turns.soon()
  }

  #onReplies(content: Buffer): void {
    const nowMs = performance.now()
    for (const reply of decodeReplies(content)) {
      if (reply.kind === 'report') this.#onReport(reply.body)
      else if (reply.kind === 'read') this.#reads.heard(reply, nowMs)
      else if (reply.note === undefined) this.#onWritten(reply, nowMs)
    }
    this.#turns.soon()
  }

  #onReport(body: Buffer): void {
    const report = JSON.parse(body.toString()) as Report
    for (const listener of this.#reportListeners) listener(report)
  }

  #onWritten(reply: Answer & { readonly id: string }, nowMs: number): void {
    if (this.#writes.heard(reply, nowMs) && reply.status < 500) this.writesAnswered += 1
  }

  #onSweep(nowMs: number): void {
    const broker = this.#broker
    this.#writes.sweep(nowMs, broker)
    this.#reads.sweep(nowMs, broker === 'up')
    this.#flush(nowMs)
  }
}

/** Its worker sends further large replies then. */
function sayTaken({ publishing }: AmqpLink, { properties }: ConsumeMessage): void {
  const { replyTo, correlationId } = properties
  if (replyTo === undefined) return
  whileOpen(() => publishing.sendToQueue(replyTo, Buffer.alloc(0), { correlationId }))
}

const readLimits = (limits: LaneLimits): LaneLimits => ({
  ...limits,
  besideOthersMs: Math.min(limits.besideOthersMs, READS_BESIDE_OTHERS_MS),
  unconfirmedMax: READS_UNHEARD_MAX,
  inFlightMaxBytes: READS_SHARE * (limits.inFlightMaxBytes ?? Number.POSITIVE_INFINITY),
  clientInFlightMax: Number.POSITIVE_INFINITY
})
