/**
 * A running instance's end of the controls: it takes what `/config` says, told of a
 * newer version by the fanout exchange or by its watch, whichever is first.
 * Invariants:
 * - What is in force is what was read last from `/config`; messages carry no settings.
 * - It acknowledges a version when all who listen here have taken it, not before.
 */
import { isDeepStrictEqual } from 'node:util'
import { CONTROL_EXCHANGE, controlQueueOf } from '../../wire/queues.ts'
import { CONFIG, INSTANCES, parseNode } from '../../wire/znodes.ts'
import { type AmqpLink, whileOpen } from '../amqp.ts'
import { type Logger, setLevel } from '../log.ts'
import type { Kept, Node, ZooKeeper } from '../zookeeper.ts'
import type { Gate } from './gate.ts'
import {
  type Controls,
  controlsOf,
  decodeNudge,
  encode,
  type InstanceNode,
  NO_CONTROLS,
  type Nudge,
  type ServiceName
} from './shapes.ts'

export interface ListenerOptions {
  readonly zookeeper: ZooKeeper
  readonly instance: Instance
  readonly log: Logger
  /** Of the log, while nothing else is said. */
  readonly level: string
  /** Of its HTTP server. */
  readonly gate?: Gate
}

export interface Instance {
  readonly id: string
  readonly service: ServiceName
  /** As others know this process by. */
  readonly pid: number
}

interface Asked extends Nudge {
  readonly link: AmqpLink
}

/** Resolves when `/config` was read: whoever begins to serve then has its settings. */
export async function listenToControls(options: ListenerOptions): Promise<ControlListener> {
  const listener = new ControlListener(options)
  await listener.known
  return listener
}

export class ControlListener implements AsyncDisposable {
  readonly known: Promise<void>
  readonly #options: ListenerOptions
  readonly #listeners: ((controls: Controls, frozen: boolean) => void)[] = []
  readonly #watch: Disposable
  #now: Controls = NO_CONTROLS
  #version = -1
  #metrics: string | undefined
  #kept: Kept | undefined
  #asked: Asked[] = []

  constructor(options: ListenerOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.known = promise
    this.#watch = options.zookeeper.watch(CONFIG, node => {
      this.#take(node)
      resolve()
    })
  }

  get frozen(): boolean {
    return Object.hasOwn(this.#now.frozen, this.#options.instance.id)
  }

  /** Tells of what is in force now, and of each change. Again what is known already must do no harm. */
  on(listener: (controls: Controls, frozen: boolean) => void): void {
    this.#listeners.push(listener)
    listener(this.#now, this.frozen)
  }

  /** Hears the fanout exchange, for as long as the link lives. */
  attach(link: AmqpLink): void {
    const { id } = this.#options.instance
    const { consuming: channel, n } = link
    const queue = controlQueueOf(id, n)
    const listen = async () => {
      await channel.assertExchange(CONTROL_EXCHANGE, 'fanout', { durable: false })
      await channel.assertQueue(queue, { exclusive: true, autoDelete: true, durable: false })
      await channel.bindQueue(queue, CONTROL_EXCHANGE, '')
      const hear = (message: { content: Buffer } | null) => this.#hear(message, link)
      await channel.consume(queue, hear, { noAck: true })
    }
    // The link has ended; there will be another. Meanwhile the watch tells.
    listen().catch((err: unknown) => this.#options.log.debug({ err }, 'controls are not heard'))
  }

  /** Where this instance tells its figures. */
  showMetrics(address: string): void {
    this.#metrics = address
    this.announce()
  }

  /** Shows what this instance has taken, and what it offers; to be called when it offers more. */
  announce(): void {
    const { zookeeper, instance, gate } = this.#options
    const { id, service, pid } = instance
    const operations = [...(gate?.operations ?? [])].sort()
    const metrics = this.#metrics === undefined ? {} : { metrics: this.#metrics }
    const node: InstanceNode = { service, pid, version: this.#version, operations, ...metrics }
    const data = JSON.stringify(node)
    if (this.#kept === undefined) this.#kept = zookeeper.keep(`${INSTANCES}/${id}`, data)
    else void this.#kept.update(data).catch(() => {}) // It ends.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]()
    await this.#kept?.[Symbol.asyncDispose]()
  }

  #hear(message: { content: Buffer } | null, link: AmqpLink): void {
    const nudge = message && decodeNudge(message.content)
    if (nudge === null) return
    this.#asked.push({ ...nudge, link })
    this.#acknowledge()
    if (this.#version >= nudge.version) return
    const { zookeeper, log } = this.#options
    zookeeper.read(CONFIG).then(
      node => this.#take(node),
      (err: unknown) => log.debug({ err }, 'not read on demand; the watch will tell')
    )
  }

  #take(node: Node | undefined): void {
    const { log } = this.#options
    const controls = controlsOf((node && parseNode<object>(node.data)) ?? {})
    if (controls === undefined) log.error('the stored controls make no sense; the former hold')
    else if (!isDeepStrictEqual(controls, this.#now)) {
      this.#now = controls
      log.info({ version: node?.version, controls }, 'controls changed')
    }
    this.#applyCommon()
    for (const listener of this.#listeners) listener(this.#now, this.frozen)
    this.#version = node?.version ?? -1
    this.announce()
    this.#acknowledge()
  }

  #applyCommon(): void {
    const { instance, log, level, gate } = this.#options
    setLevel(log, this.#now.logLevels[instance.service] ?? level)
    gate?.set({ frozen: this.frozen, disabled: this.#now.disabled })
  }

  #acknowledge(): void {
    const { id } = this.#options.instance
    const ready = this.#asked.filter(({ version }) => version <= this.#version)
    this.#asked = this.#asked.filter(asked => !ready.includes(asked))
    const content = encode({ id, version: this.#version })
    for (const { link, replyTo } of ready) {
      whileOpen(() => link.publishing.sendToQueue(replyTo, content))
    }
  }
}
