/**
 * A process's link to the simulated RabbitMQ, as platform/amqp.ts is to the real one:
 * dialled again for ever, ended when either side has heard nothing for too long. The
 * two sides may know of the end at different times.
 */
import type { Machine } from './cable.ts'
import type { Attached, Process } from './process.ts'
import type { Letter, RabbitMq } from './rabbitmq.ts'
import type { ReadMessage, WriteMessage } from './requests.ts'
import { Consumer, type Delivery, type SharedQueue } from './shared-queue.ts'
import type { World } from './world.ts'

export class Connection {
  readonly n: number
  /** As its process sees it. */
  open = true
  atBroker = true
  readonly inboxes: string[] = []
  readonly consumers: Consumer[] = []
  readonly #client: RabbitClient

  constructor(client: RabbitClient, n: number) {
    this.#client = client
    this.n = n
  }

  get machine(): Machine {
    return this.#client.machine
  }

  /** Something of this connection's is done at the broker; the way back takes the time of both. */
  command(run: () => void): void {
    if (!this.open) return
    this.#client.machine.rabbit.out.pass(() => {
      if (this.atBroker) run()
    })
  }

  /** What the broker sends arrives in the process, unless either has ended the connection. */
  deliver(run: () => void): void {
    const { world } = this.#client
    world.timeline.after(world.delay(), () => this.arrive(run))
  }

  arrive(run: () => void): void {
    if (!this.atBroker) return
    const { machine, process } = this.#client
    machine.rabbit.back.pass(() =>
      process.do(() => {
        if (this.open) run()
      })
    )
  }

  send(to: string | { readonly exchange: 'sync' }, letter: Letter): void {
    if (!this.open) return
    const { world, machine } = this.#client
    machine.rabbit.out.pass(() => {
      if (this.atBroker) world.rabbitmq.route(this, to, letter)
    })
  }

  /** @param confirmed told whether the broker took it; never when the connection ends first */
  publish(
    queue: SharedQueue,
    message: { body: WriteMessage | ReadMessage; ttlMs: number },
    confirmed?: (taken: boolean) => void
  ): void {
    this.command(() => {
      const expiresAtMs = this.#client.world.timeline.nowMs + message.ttlMs
      const taken = queue.put({ body: message.body, expiresAtMs, redelivered: false })
      if (confirmed !== undefined) this.deliver(() => confirmed(taken))
    })
  }

  consume(queue: SharedQueue, prefetch: number, take: (delivery: Delivery) => void): Consumer {
    const consumer = new Consumer({ queue, connection: this, prefetch }, take)
    this.command(() => {
      if (!consumer.open) return
      this.consumers.push(consumer)
      queue.add(consumer)
    })
    return consumer
  }

  endAtBroker(): void {
    if (!this.atBroker) return
    this.atBroker = false
    this.#client.world.rabbitmq.forget(this)
    this.#client.contactChanged()
  }
}

export interface RabbitListener {
  up(connection: Connection): void
  down(): void
}

export class RabbitClient implements Attached {
  readonly world: World
  readonly process: Process
  readonly machine: Machine
  connection: Connection | null = null
  readonly #listener: RabbitListener
  /** Since when the broker has not heard of this client, and the reverse. */
  #silentSinceMs: number | null = null
  #deafSinceMs: number | null = null
  #pausedSinceMs: number | null = null
  #dialling = false

  constructor(
    world: World,
    owner: { process: Process; machine: Machine; listener: RabbitListener }
  ) {
    this.world = world
    this.process = owner.process
    this.machine = owner.machine
    this.#listener = owner.listener
    this.#broker.clients.add(this)
    this.process.attach(this)
    this.machine.rabbit.users.add(this)
    this.contactChanged()
  }

  get #broker(): RabbitMq {
    return this.world.rabbitmq
  }

  contactChanged(): void {
    const { connection, process, machine } = this
    const { out, back } = machine.rabbit
    this.#wake()
    this.#watchSilence(process.runs && !out.blocked)
    this.#watchDeafness(this.#broker.up && !back.blocked)
    if (!process.alive) {
      this.#broker.clients.delete(this)
      machine.rabbit.users.delete(this)
      // A dead process's sockets are closed for it, where that can be told.
      if (connection !== null && !out.blocked)
        this.world.timeline.after(1, () => connection.endAtBroker())
      return
    }
    if (connection === null) this.#dial()
    else if (!connection.atBroker && !back.blocked) process.after(1, () => this.#end(connection))
  }

  /** A process that wakes may find first that a ping had no answer, or first what came meanwhile. */
  #wake(): void {
    const { process, world } = this
    const pausedMs = this.#pausedSinceMs === null ? 0 : world.timeline.nowMs - this.#pausedSinceMs
    if (!process.paused) this.#pausedSinceMs = null
    else this.#pausedSinceMs ??= world.timeline.nowMs
    const isLate = process.runs && pausedMs > world.plan.amqpPingMs
    if (isLate && world.dice.chance(0.5)) this.drop()
  }

  /** Breaks the link, and dials again. */
  drop(): void {
    if (this.connection !== null) this.#end(this.connection)
  }

  #watchSilence(heard: boolean): void {
    if (heard) this.#silentSinceMs = null
    else if (this.#silentSinceMs === null) {
      const since = this.world.timeline.nowMs
      this.#silentSinceMs = since
      this.world.timeline.after(this.world.plan.amqpSilenceMs, () => {
        if (this.#silentSinceMs === since) this.connection?.endAtBroker()
      })
    }
  }

  #watchDeafness(hears: boolean): void {
    if (hears) this.#deafSinceMs = null
    else if (this.#deafSinceMs === null) {
      const since = this.world.timeline.nowMs
      this.#deafSinceMs = since
      this.process.after(this.world.plan.amqpPingMs, () => {
        if (this.#deafSinceMs === since && this.connection !== null) this.#end(this.connection)
      })
    }
  }

  #end(connection: Connection): void {
    if (!connection.open) return
    connection.command(() => connection.endAtBroker())
    connection.open = false
    if (this.connection === connection) this.connection = null
    this.#listener.down()
    this.#dial()
  }

  #dial(): void {
    if (this.#dialling || this.connection !== null) return
    if (!this.#broker.up || !this.machine.rabbit.whole || !this.process.alive) return
    this.#dialling = true
    this.process.after(2 + this.world.dice.next() * 30, () => {
      this.#dialling = false
      if (this.connection !== null || !this.#broker.up || !this.machine.rabbit.whole) return
      const connection = new Connection(this, this.world.nextConnection())
      this.connection = connection
      this.#broker.connections.add(connection)
      this.#listener.up(connection)
    })
  }
}
