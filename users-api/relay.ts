/**
 * Sends events from the outbox to RabbitMQ, at least once, and hears from rides-api
 * when it is done with one. Any instance may relay any event; duplicates are harmless.
 * Invariants:
 * - A row leaves the outbox only after rides-api has said that it committed the event.
 *   RabbitMQ's confirmation is not enough: it may start again without its data.
 * - A row that stays is sent again: on each new link, and by the sweep of every instance.
 * - On one link an event is sent once in `RESEND_MS`, so that the queue of a consumer that
 *   is away stays bounded by the outbox.
 */
import type { ConfirmChannel } from 'amqplib'
import { type Amqp, type AmqpLink, openAmqp, UNHURRIED_PING_MS } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import {
  declareEvents,
  decodeUserDeletedDone,
  EVENTS_EXCHANGE,
  encodeEvent,
  USER_DELETED,
  USER_DELETED_DONE,
  type UserDeleted
} from '../platform/service/events.ts'
import type { OnLink } from '../platform/service/start.ts'
import { type Cursor, type Outbox, SWEEP_ROWS } from './outbox.ts'

/** Events of an instance that died for good are relayed by another within this. */
const SWEEP_MS = 30_000
/** The consumer may have said that it is done while this instance had no link. */
const RESEND_MS = 5 * 60_000

export interface RelayOptions {
  readonly url: string
  readonly outbox: Outbox
  readonly log: Logger
  readonly onLink: OnLink
}

/** Returns at once; RabbitMQ need not be there yet. */
export function openRelay(options: RelayOptions): Relay {
  return new Relay(options)
}

export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions
  readonly #amqp: Amqp
  readonly #timer: NodeJS.Timeout
  /** Event ids that callers wait for. */
  readonly #waiting = new Map<string, Set<() => void>>()
  /** Event ids that came back from RabbitMQ because no queue takes them. */
  readonly #returned = new Set<string>()
  /** Events that RabbitMQ has taken on the present link, and when. */
  readonly #sentAtMs = new Map<string, number>()
  readonly #done: string[] = []
  #removing = false
  #sweeping = false
  #channel: ConfirmChannel | undefined

  constructor(options: RelayOptions) {
    this.#options = options
    const { url, log } = options
    this.#amqp = openAmqp({
      url,
      name: 'users-api',
      pingMs: UNHURRIED_PING_MS,
      log,
      setup: link => this.#setup(link),
      down: () => {
        this.#channel = undefined
        this.#sentAtMs.clear()
        options.onLink(undefined)
      }
    })
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS)
  }

  /**
   * Sends an event whose row is in the outbox.
   * @returns true when rides-api is done with it, false when `waitMs` passed before; it goes on then
   */
  async announce(event: UserDeleted, waitMs: number): Promise<boolean> {
    const done = this.#wait(event.eventId, waitMs)
    void this.#publish(event)
    return done
  }

  /** Sends what is in the outbox, in the background. */
  sweep(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    void this.#sweep()
      .catch(err => this.#options.log.warn({ err }, 'outbox not swept'))
      .finally(() => {
        this.#sweeping = false
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#amqp[Symbol.asyncDispose]()
  }

  async #setup(link: AmqpLink): Promise<void> {
    const { consuming, publishConnection } = link
    await declareEvents(consuming)
    const { queue } = await consuming.assertQueue('', { exclusive: true, autoDelete: true })
    await consuming.bindQueue(queue, EVENTS_EXCHANGE, USER_DELETED_DONE)
    await consuming.consume(queue, message => this.#heard(message?.content), { noAck: true })
    const channel = await publishConnection.createConfirmChannel()
    channel.on('error', err => this.#options.log.warn({ err }, 'events channel failed'))
    channel.on('close', () => this.#amqp.drop())
    channel.on('return', message => this.#returned.add(message.properties.messageId))
    this.#channel = channel
    this.#options.onLink(link)
    this.sweep()
  }

  #heard(content: Buffer | undefined): void {
    if (content === undefined) {
      this.#amqp.drop() // the queue was deleted under the consumer
      return
    }
    const { eventId = '' } = decodeUserDeletedDone(content) ?? {}
    for (const finish of this.#waiting.get(eventId) ?? []) finish()
    // Whoever sent it removes it; of an instance that died, whoever sends it next.
    if (this.#sentAtMs.delete(eventId)) void this.#remove(eventId)
  }

  #wait(eventId: string, waitMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiters = this.#waiting.get(eventId) ?? new Set()
    const settle = (done: boolean) => {
      clearTimeout(timer)
      waiters.delete(finish)
      if (waiters.size === 0) this.#waiting.delete(eventId)
      resolve(done)
    }
    const finish = () => settle(true)
    const timer = setTimeout(settle, waitMs, false)
    this.#waiting.set(eventId, waiters.add(finish))
    return promise
  }

  async #sweep(): Promise<void> {
    let after: Cursor | undefined
    do {
      const { events, next } = await this.#options.outbox.pending(after)
      const nowMs = performance.now()
      const isDue = ({ eventId }: UserDeleted) =>
        nowMs - (this.#sentAtMs.get(eventId) ?? Number.NEGATIVE_INFINITY) >= RESEND_MS
      await Promise.all(events.filter(isDue).map(event => this.#publish(event)))
      after = next
    } while (after !== undefined)
  }

  /** Resolves when RabbitMQ has taken the event or refused it. What is refused stays for the next sweep. */
  #publish(event: UserDeleted): Promise<void> {
    const channel = this.#channel
    if (channel === undefined) return Promise.resolve()
    const { eventId } = event
    const { promise, resolve } = Promise.withResolvers<void>()
    const options = { persistent: true, mandatory: true, messageId: eventId }
    // Noted first: rides-api may be done before the confirmation comes.
    this.#sentAtMs.set(eventId, performance.now())
    try {
      channel.publish(EVENTS_EXCHANGE, USER_DELETED, encodeEvent(event), options, err => {
        // A return comes before its confirm.
        const returned = this.#returned.delete(eventId)
        if (returned) this.#amqp.drop() // the next link declares the queue again
        if (returned || err !== null) this.#sentAtMs.delete(eventId)
        resolve()
      })
    } catch {
      this.#sentAtMs.delete(eventId) // closing; the next link sweeps
      resolve()
    }
    return promise
  }

  /** Removes what is done, as one write for all that gathered during the last one. */
  async #remove(eventId: string): Promise<void> {
    this.#done.push(eventId)
    if (this.#removing) return
    this.#removing = true
    try {
      while (this.#done.length > 0) {
        await this.#options.outbox.remove(this.#done.splice(0, SWEEP_ROWS))
      }
    } catch (err) {
      this.#options.log.warn({ err }, 'processed events stay in the outbox until the next sweep')
    } finally {
      this.#removing = false
    }
  }
}
