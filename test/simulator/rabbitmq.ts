/**
 * A RabbitMQ for simulated processes: shared queues that deal to competing consumers
 * and deliver again what was not acknowledged, exclusive queues that end with their
 * connection, a fanout. Messages may be lost, doubled, late and out of order; nothing
 * survives a restart.
 */

import type { Message } from '../../workers/protocol/messages.ts'
import type { Machine } from './cable.ts'
import type { Connection } from './rabbitmq-client.ts'
import type { Reply } from './requests.ts'
import { SharedQueue } from './shared-queue.ts'
import type { World } from './world.ts'

/** What goes to a queue that one process alone reads. */
export type Letter = Message | readonly Reply[]

/** An exclusive queue. */
export interface Inbox {
  readonly connection: Connection
  readonly receive: (letter: Letter) => void
  /** What came before arrives before, unless it is a day for disorder. */
  lastAtMs: number
}

/** Probabilities, which the faults of the day change. */
export interface Weather {
  lose: number
  double: number
  slow: number
  disorder: number
}

export const CALM: Weather = { lose: 0, double: 0, slow: 0, disorder: 0 }

export class RabbitMq {
  up = true
  weather: Weather = CALM
  /** On `sync` alone, at machines that hear it worse than others. */
  readonly syncWeather = new Map<Machine, Weather>()
  readonly connections = new Set<Connection>()
  /** Machines whose own queues are full: what others say to their workers is lost. */
  readonly deaf = new Set<Machine>()
  readonly writeQ: SharedQueue
  readonly readQ: SharedQueue
  readonly strongQ: SharedQueue
  /** All parties that have a client, connected or not. */
  readonly clients = new Set<{ contactChanged(): void }>()
  readonly #inboxes = new Map<string, Inbox>()
  readonly #fanout = new Map<string, Inbox>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.writeQ = new SharedQueue(world)
    this.readQ = new SharedQueue(world)
    this.strongQ = new SharedQueue(world)
  }

  open(name: string, inbox: Inbox, isBound: boolean): void {
    this.#inboxes.set(name, inbox)
    if (isBound) this.#fanout.set(name, inbox)
  }

  /** The broker has ended a connection: what it had not acknowledged goes to others. */
  forget(connection: Connection): void {
    this.connections.delete(connection)
    for (const name of connection.inboxes) {
      this.#inboxes.delete(name)
      this.#fanout.delete(name)
    }
    for (const consumer of connection.consumers) consumer.gone()
  }

  /** To one queue, or to every worker's but the sender's own. */
  route(from: Connection, to: string | { readonly exchange: 'sync' }, letter: Letter): void {
    if (typeof to === 'string') {
      const inbox = this.#inboxes.get(to)
      if (inbox !== undefined) this.#deliver(inbox, letter)
      return
    }
    for (const inbox of this.#fanout.values()) {
      const weather = this.syncWeather.get(inbox.connection.machine)
      if (inbox.connection !== from) this.#deliver(inbox, letter, weather)
    }
  }

  stop(): void {
    this.up = false
    for (const queue of [this.writeQ, this.readQ, this.strongQ]) queue.clear()
    for (const connection of [...this.connections]) connection.endAtBroker()
    for (const client of this.clients) client.contactChanged()
  }

  start(): void {
    this.up = true
    for (const client of this.clients) client.contactChanged()
  }

  #deliver(inbox: Inbox, letter: Letter, weather = this.weather): void {
    const { timeline, dice } = this.#world
    const { lose, double, slow, disorder } = weather
    if (this.deaf.has(inbox.connection.machine)) return
    if (lose > 0 && dice.chance(lose)) return
    const copies = double > 0 && dice.chance(double) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      let delayMs = this.#world.delay()
      if (slow > 0 && dice.chance(slow)) delayMs += dice.between(5, 400)
      else if (disorder === 0 || !dice.chance(disorder)) {
        delayMs = Math.max(delayMs, inbox.lastAtMs - timeline.nowMs)
        inbox.lastAtMs = timeline.nowMs + delayMs
      }
      timeline.after(delayMs, () => inbox.connection.arrive(() => inbox.receive(letter)))
    }
  }
}
