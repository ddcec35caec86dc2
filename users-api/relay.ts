/**
 * Brings events from the outbox to RabbitMQ, at least once, and hears from rides-api
 * when it is done with one. Any instance may relay any event; doubles are harmless.
 * Invariants:
 * - A row leaves the outbox only after RabbitMQ has confirmed its event.
 * - A row that stays, for whatever reason, is sent again: at each new link, and by
 *   the sweep of every instance.
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
import { type Outbox, SWEEP_ROWS } from './outbox.ts'

/** Events of an instance that died for good are relayed by another within this. */
const SWEEP_MS = 30_000

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
  readonly #confirmed: string[] = []
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
    void this.#send(event)
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
    const done = decodeUserDeletedDone(content)
    for (const finish of this.#waiting.get(done?.eventId ?? '') ?? []) finish()
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
    for (;;) {
      const events = await this.#options.outbox.pending()
      const sent = await Promise.all(events.map(event => this.#publish(event)))
      const confirmed = events.filter((_event, i) => sent[i]).map(event => event.eventId)
      if (confirmed.length > 0) await this.#options.outbox.remove(confirmed)
      if (confirmed.length < SWEEP_ROWS) return
    }
  }

  async #send(event: UserDeleted): Promise<void> {
    if (await this.#publish(event)) await this.#remove(event.eventId)
  }

  /** @returns whether RabbitMQ has confirmed the event, on disk in its queue */
  #publish(event: UserDeleted): Promise<boolean> {
    const channel = this.#channel
    if (channel === undefined) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const options = { persistent: true, mandatory: true, messageId: event.eventId }
    try {
      channel.publish(EVENTS_EXCHANGE, USER_DELETED, encodeEvent(event), options, err => {
        // A return comes before its confirm.
        const returned = this.#returned.delete(event.eventId)
        if (returned) this.#amqp.drop() // the next link declares the queue again
        resolve(err === null && !returned)
      })
    } catch {
      resolve(false) // closing; the next link sweeps
    }
    return promise
  }

  /** Removes what was confirmed, as one write for all that gathered during the last one. */
  async #remove(eventId: string): Promise<void> {
    this.#confirmed.push(eventId)
    if (this.#removing) return
    this.#removing = true
    try {
      while (this.#confirmed.length > 0) {
        await this.#options.outbox.remove(this.#confirmed.splice(0, SWEEP_ROWS))
      }
    } catch (err) {
      this.#options.log.warn({ err }, 'confirmed events stay in the outbox until the next sweep')
    } finally {
      this.#removing = false
    }
  }
}
