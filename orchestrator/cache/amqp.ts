/**
 * An orchestrator's ear on `sync`: a bounded queue of its own, there only while it is
 * worth to listen. What overflows shows as a gap.
 */
import type { Channel } from 'amqplib'
import type { AmqpLink } from '../../platform/amqp.ts'
import type { Logger } from '../../platform/log.ts'
import { cacheQueueOf, SYNC_EXCHANGE } from '../../wire/queues.ts'
import { newsIn } from './changes.ts'
import type { News } from './heard.ts'

const QUEUE_BYTES = 16 * 1024 * 1024

export interface SyncListenerOptions {
  readonly orchestratorId: string
  readonly heard: (news: News) => void
  readonly log: Logger
}

export class SyncListener {
  readonly #options: SyncListenerOptions
  #link: AmqpLink | undefined
  #channel: Channel | undefined
  #opened = 0

  constructor(options: SyncListenerOptions) {
    this.#options = options
  }

  /** Listens on this link, or not at all. To be called again and again: what failed is tried anew. */
  listen(link: AmqpLink | undefined): void {
    if (link === this.#link) return
    this.#stop()
    this.#link = link
    if (link === undefined) return
    this.#open(link).catch((err: unknown) => {
      this.#options.log.warn({ err }, 'sync cannot be listened to')
      if (this.#link === link) this.#stop()
    })
  }

  #stop(): void {
    const channel = this.#channel
    this.#link = undefined
    this.#channel = undefined
    // With the channel's link its queue ends too.
    void channel?.close().catch(() => {})
  }

  async #open(link: AmqpLink): Promise<void> {
    const { orchestratorId, heard, log } = this.#options
    const channel = await link.consumeConnection.createChannel()
    const ended = () => {
      if (this.#channel === channel) this.#stop()
    }
    channel.on('error', err => log.warn({ err }, 'the listener to sync has failed'))
    channel.on('close', ended)
    if (this.#link !== link) return channel.close()
    this.#channel = channel
    this.#opened += 1
    const queue = `${cacheQueueOf(orchestratorId, link.n)}.${this.#opened}`
    const bytes = { 'x-max-length-bytes': QUEUE_BYTES }
    const own = { exclusive: true, autoDelete: true, durable: false, arguments: bytes }
    await channel.assertExchange(SYNC_EXCHANGE, 'fanout', { durable: false })
    await channel.assertQueue(queue, own)
    await channel.bindQueue(queue, SYNC_EXCHANGE, '')
    const receive = (message: { content: Buffer } | null) => {
      const news = message === null ? null : newsIn(message.content)
      if (message === null)
        ended() // the broker has deleted the queue
      else if (news !== null) heard(news)
    }
    await channel.consume(queue, receive, { noAck: true })
  }
}
