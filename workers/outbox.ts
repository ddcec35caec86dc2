/**
 * Replies on their way out of a worker. Small ones go at once, on the connection of
 * confirmations. Large ones go on a connection of their own, and only so many bytes at once as
 * orchestrators take (reply-window.ts): what RabbitMQ holds of them is bounded, whatever clients
 * read (docs/decisions/overload.md).
 */
import { setInterval } from 'node:timers'
import { type AmqpLink, whileOpen } from '../platform/amqp.ts'
import { takenQueueOf } from '../wire/queues.ts'
import { encodeReplies, type Reply } from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import { type LargeReply, ReplyWindow } from './reply-window.ts'

/** A reply of so many bytes is large, and goes alone. */
const LARGE_BYTES = 64 * 1024
/** So is a message of small ones that has so many. */
const LARGE_MESSAGE_BYTES = 256 * 1024
/** Of large replies, on their way from all workers together. */
const ALL_BYTES = 48 * 1024 * 1024
/** No worker has less: one reply of the largest size, about. */
const LEAST_BYTES = 8 * 1024 * 1024
/** Of replies to reads that wait: of one client, and of all. Beyond, reads are not executed. */
const CLIENT_WAITING_BYTES = 8 * 1024 * 1024
const WAITING_BYTES = 32 * 1024 * 1024
/** Finds what orchestrators did not take. */
const LOOK_MS = 100

export const isLarge = ({ body }: { readonly body: string }): boolean => body.length >= LARGE_BYTES

export interface Sending {
  readonly replyTo: string
  readonly replies: readonly Reply[]
  readonly client: string
  readonly isWrite: boolean
  readonly expiresAtMs: number
  /** Called once it has left, or nobody waits for it any more; not when the link ends before. */
  readonly left: () => void
}

interface Waiting extends LargeReply {
  readonly replyTo: string
  readonly content: Buffer
  readonly left: () => void
}

export class Outbox implements Disposable {
  readonly #window = new ReplyWindow<Waiting>()
  readonly #looking: NodeJS.Timeout
  #link: AmqpLink | null = null
  #takenQueue = ''
  /** How many workers share the bytes. */
  workers = 1

  constructor() {
    this.#looking = setInterval(() => this.#flush(), LOOK_MS)
  }

  /** Before anything is sent over this link. */
  async attach(link: AmqpLink, workerId: string): Promise<void> {
    const queue = takenQueueOf(workerId, link.n)
    const own = { exclusive: true, autoDelete: true, durable: false }
    await link.consuming.assertQueue(queue, own)
    const taken = (message: { properties: { correlationId: unknown } } | null) => {
      if (message === null) return
      this.#window.taken(Number(message.properties.correlationId))
      this.#flush()
    }
    await link.consuming.consume(queue, taken, { noAck: true })
    this.#takenQueue = queue
    this.#link = link
  }

  detach(): void {
    this.#link = null
    this.#window.clear()
  }

  /** Bytes of replies to writes that wait. */
  get writeBytes(): number {
    return this.#window.writeBytes
  }

  /** Bytes that are on their way, or wait. */
  get bytes(): number {
    return this.#window.sentBytes + this.#window.writeBytes + this.#window.readBytes
  }

  /** Whether so much waits that no more should be read for this client. */
  isFullFor(client: string): boolean {
    const { readBytes } = this.#window
    return readBytes >= WAITING_BYTES || this.#window.readBytesOf(client) >= CLIENT_WAITING_BYTES
  }

  send(sending: Sending): void {
    const { replyTo, replies, client, isWrite, expiresAtMs, left } = sending
    const small = replies.filter(reply => !isLarge(reply))
    const messages = small.length > 0 ? encodeReplies(small) : []
    const large = [
      ...messages.filter(({ length }) => length >= LARGE_MESSAGE_BYTES),
      ...replies.flatMap(reply => (small.includes(reply) ? [] : encodeReplies([reply])))
    ]
    for (const message of messages) if (!large.includes(message)) this.#publish(replyTo, message)
    let waiting = large.length
    if (waiting === 0) left()
    const oneLeft = () => {
      waiting -= 1
      if (waiting === 0) left()
    }
    for (const content of large) {
      const cost = content.length
      this.#window.add({ replyTo, content, client, cost, isWrite, expiresAtMs, left: oneLeft })
    }
    if (large.length > 0) this.#flush()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looking)
  }

  #publish(replyTo: string, content: Buffer): void {
    whileOpen(() => this.#link?.publishing.sendToQueue(replyTo, content))
  }

  #flush(): void {
    const link = this.#link
    if (link === null || link.blocked) return
    const maxBytes = Math.max(LEAST_BYTES, ALL_BYTES / this.workers)
    for (;;) {
      const next = this.#window.next(maxBytes, nowMs())
      if (next === undefined) return
      const { n, reply } = next
      if (n !== undefined) {
        const properties = { replyTo: this.#takenQueue, correlationId: String(n) }
        whileOpen(() => link.bulk.sendToQueue(reply.replyTo, reply.content, properties))
      }
      reply.left()
    }
  }
}
