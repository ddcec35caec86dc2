/**
 * What a master holds of `writeQ`, as messages of up to a lane's batch.
 * Invariants:
 * - A message is acknowledged when all its commands are answered or given up, so that what
 *   a dead master held is delivered again. Commands leave in any order, so messages do too.
 * - Bounded: few messages are taken as long as they are answered soon, for more would be stuck
 *   with a master that freezes. Where all of them are held up, by slow commands of one client,
 *   further ones are taken, up to a limit, so that commands of others get in.
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import { whileOpen } from '../platform/amqp.ts'
import { WRITE_QUEUE } from '../wire/queues.ts'

const PREFETCH = 6
/** Of each further consumer. */
const MORE = 128
const CONSUMERS_MAX = 8
/** Above this no further messages are taken. */
const HELD_BYTES = 64 * 1024 * 1024
/** All room is taken by messages of which the first has waited for so long. */
const HELD_UP_MS = 100
/** Further consumers end when there was room without them for so long. */
const CALM_MS = 1_000

export interface Delivery {
  readonly message: ConsumeMessage
  readonly replyTo: string
  readonly receivedMs: number
  /** Commands that are neither answered nor given up. */
  left: number
}

export class Deliveries {
  readonly #channel: Channel
  readonly #term: number
  readonly #take: (message: ConsumeMessage | null) => void
  /** In the order of their tags. */
  readonly #held = new Set<Delivery>()
  /** Tags of the further consumers. */
  readonly #further: string[] = []
  #bytes = 0
  #turning = false
  #calmSinceMs: number | null = null

  constructor(
    channel: Channel,
    { term, take }: { term: number; take: (message: ConsumeMessage | null) => void }
  ) {
    this.#channel = channel
    this.#term = term
    this.#take = take
  }

  async open(): Promise<void> {
    await this.#consume(PREFETCH)
  }

  add(delivery: Delivery): void {
    this.#held.add(delivery)
    this.#bytes += delivery.message.content.length
  }

  /** One command of each is answered, or given up. */
  settle(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) delivery.left -= 1
    if (deliveries.some(({ left }) => left === 0)) this.#acknowledge()
  }

  /** Takes further messages, or no more of them. To be asked every now and then. */
  look(nowMs: number): void {
    const [eldest] = this.#held
    const isCalm = this.#held.size < PREFETCH
    this.#calmSinceMs = isCalm ? (this.#calmSinceMs ?? nowMs) : null
    if (this.#turning) return
    if (eldest !== undefined && this.#isFull && nowMs - eldest.receivedMs >= HELD_UP_MS) {
      void this.#turn(async () => {
        this.#further.push(await this.#consume(MORE))
      })
    } else if (this.#calmSinceMs !== null && nowMs - this.#calmSinceMs >= CALM_MS) {
      const tag = this.#further.pop()
      if (tag === undefined) return
      // What it holds stays with this channel.
      void this.#turn(async () => {
        await this.#channel.cancel(tag)
      })
    }
  }

  get #isFull(): boolean {
    const room = PREFETCH + MORE * this.#further.length
    return (
      this.#held.size >= room && this.#further.length < CONSUMERS_MAX && this.#bytes < HELD_BYTES
    )
  }

  /** One at a time. It fails when the channel ends, and everything here with it. */
  async #turn(change: () => Promise<void>): Promise<void> {
    this.#turning = true
    await Promise.try(change).catch(() => {})
    this.#turning = false
  }

  async #consume(prefetch: number): Promise<string> {
    await this.#channel.prefetch(prefetch)
    // A frozen or cut-off master may consume still: it is given nothing that a later one has room for.
    const options = { priority: this.#term }
    const consumer = await this.#channel.consume(WRITE_QUEUE, this.#take, options)
    return consumer.consumerTag
  }

  /** With one acknowledgement for all that stand first. */
  #acknowledge(): void {
    let isFirst = true
    let upTo: Delivery | undefined
    const others: Delivery[] = []
    for (const delivery of this.#held) {
      if (delivery.left > 0) isFirst = false
      else if (isFirst) upTo = delivery
      else others.push(delivery)
      if (delivery.left === 0) {
        this.#held.delete(delivery)
        this.#bytes -= delivery.message.content.length
      }
    }
    whileOpen(() => {
      if (upTo !== undefined) this.#channel.ack(upTo.message, true)
      for (const { message } of others) this.#channel.ack(message)
    })
  }
}
