/**
 * How many messages wait in RabbitMQ's shared queues, asked for over the link that the
 * lanes use, on a channel of its own: a question that fails must not end theirs.
 */
import type { Channel } from 'amqplib'
import type { AmqpLink } from '../../platform/amqp.ts'
import { READ_QUEUE, STRONG_QUEUE, WRITE_QUEUE } from '../../wire/queues.ts'

const QUEUES = [WRITE_QUEUE, STRONG_QUEUE, READ_QUEUE]

export interface QueueDepth {
  readonly name: string
  /** Waiting; those that a worker has in hand are not counted. */
  readonly messages: number
  readonly consumers: number
}

export class Queues {
  readonly #link: () => AmqpLink | undefined
  #asking: { readonly link: AmqpLink; readonly channel: Channel } | null = null

  /** @param link the present one, if there is one */
  constructor(link: () => AmqpLink | undefined) {
    this.#link = link
  }

  /** @returns null while RabbitMQ does not answer */
  async depths(): Promise<readonly QueueDepth[] | null> {
    try {
      const channel = await this.#open()
      if (channel === null) return null
      const checked = await Promise.all(QUEUES.map(name => channel.checkQueue(name)))
      return checked.map(({ queue, messageCount, consumerCount }) => ({
        name: queue,
        messages: messageCount,
        consumers: consumerCount
      }))
    } catch {
      this.#asking = null
      return null
    }
  }

  async #open(): Promise<Channel | null> {
    const link = this.#link()
    if (link === undefined) return null
    if (this.#asking?.link === link) return this.#asking.channel
    const channel = await link.publishConnection.createChannel()
    channel.on('error', () => {}) // The question that was under way has failed with it.
    this.#asking = { link, channel }
    return channel
  }
}
