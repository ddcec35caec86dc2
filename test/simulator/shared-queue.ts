/**
 * A queue that several consumers share: dealt in turn, bounded by each one's prefetch,
 * delivered again when a consumer goes without having acknowledged.
 */
import type { Connection } from './rabbitmq-client.ts'
import type { ReadMessage, WriteMessage } from './requests.ts'
import type { World } from './world.ts'

export interface Queued {
  readonly body: WriteMessage | ReadMessage
  readonly expiresAtMs: number
  redelivered: boolean
}

export interface Delivery {
  readonly queued: Queued
  readonly redelivered: boolean
}

/** A channel with one consumer, as the broker and its client know it. */
export class Consumer {
  /** Cancelled: it gets no more, and keeps what it has. */
  takes = true
  open = true
  readonly unacked = new Set<Queued>()
  readonly connection: Connection
  readonly #queue: SharedQueue
  readonly #prefetch: number
  readonly #take: (delivery: Delivery) => void

  constructor(
    of: { queue: SharedQueue; connection: Connection; prefetch: number },
    take: (delivery: Delivery) => void
  ) {
    this.#queue = of.queue
    this.connection = of.connection
    this.#prefetch = of.prefetch
    this.#take = take
  }

  get hasRoom(): boolean {
    return this.takes && this.open && this.unacked.size < this.#prefetch
  }

  deliver(queued: Queued): void {
    this.unacked.add(queued)
    const { redelivered } = queued
    this.connection.deliver(() => {
      if (this.open) this.#take({ queued, redelivered })
    })
  }

  ack({ queued }: Delivery): void {
    this.connection.command(() => {
      if (this.unacked.delete(queued)) this.#queue.deal()
    })
  }

  /** Back to the queue, or dropped. */
  nack({ queued }: Delivery, how: 'requeue' | 'drop'): void {
    this.connection.command(() => {
      if (!this.unacked.delete(queued)) return
      if (how === 'requeue') this.#queue.putBack([queued])
      else this.#queue.deal()
    })
  }

  cancel(): void {
    this.connection.command(() => {
      this.takes = false
    })
  }

  /** Closes the channel: at once here, a little later at the broker. */
  close(): void {
    this.open = false
    this.connection.command(() => this.gone())
  }

  /** The broker knows that it has ended. */
  gone(): void {
    this.takes = false
    this.#queue.remove(this)
    const back = [...this.unacked]
    this.unacked.clear()
    this.#queue.putBack(back)
  }
}

export class SharedQueue {
  /** Refuses what is published. */
  full = false
  readonly #world: World
  readonly #consumers: Consumer[] = []
  #waiting: Queued[] = []
  #turn = 0

  constructor(world: World) {
    this.#world = world
  }

  add(consumer: Consumer): void {
    this.#consumers.push(consumer)
    this.deal()
  }

  remove(consumer: Consumer): void {
    const at = this.#consumers.indexOf(consumer)
    if (at >= 0) this.#consumers.splice(at, 1)
  }

  /** @returns whether it was taken */
  put(queued: Queued): boolean {
    if (this.full) return false
    this.#waiting.push(queued)
    this.deal()
    return true
  }

  putBack(queued: readonly Queued[]): void {
    for (const one of queued) one.redelivered = true
    if (this.#world.rabbitmq.up) this.#waiting.unshift(...queued)
    this.deal()
  }

  clear(): void {
    this.#waiting = []
    for (const consumer of this.#consumers) consumer.unacked.clear()
  }

  deal(): void {
    while (this.#waiting.length > 0) {
      const consumer = this.#next()
      if (consumer === undefined) return
      const queued = this.#waiting.shift() as Queued
      if (queued.expiresAtMs > this.#world.timeline.nowMs) consumer.deliver(queued)
    }
  }

  #next(): Consumer | undefined {
    const { length } = this.#consumers
    for (let i = 0; i < length; i++) {
      const consumer = this.#consumers[(this.#turn + i) % length] as Consumer
      if (!consumer.hasRoom) continue
      this.#turn = (this.#turn + i + 1) % length
      return consumer
    }
    return undefined
  }
}
