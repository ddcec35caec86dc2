/**
 * An orchestrator's end of the controls: tells all running instances that `/config` has
 * a newer version, and gathers who has taken it, by their messages or, while RabbitMQ is
 * away, by what they show in `/instances`.
 */

import { acknowledgeQueueOf, CONTROL_EXCHANGE } from '../../wire/queues.ts'
import { type AmqpLink, whileOpen } from '../amqp.ts'
import type { Logger } from '../log.ts'
import type { Instance } from './listener.ts'
import { decodeAcknowledgement, encode, type InstanceNode } from './shapes.ts'

const WITHIN_MS = 2_000

export type Instances = ReadonlyMap<string, InstanceNode>

export interface Told {
  readonly acknowledged: Instance[]
  /** Running, and without a word; it takes the settings when it reads `/config`. */
  readonly missing: Instance[]
}

export interface BroadcastOptions {
  readonly id: string
  readonly log: Logger
  /** Those that run, as ZooKeeper shows them. */
  readonly view: {
    readonly now: { readonly instances: Instances }
    on(listener: () => void): Disposable
  }
  readonly withinMs?: number
}

export class Broadcast {
  readonly #options: BroadcastOptions
  /** Versions by instance, as acknowledged. */
  readonly #heard = new Map<string, number>()
  readonly #looks = new Set<() => void>()
  #link: AmqpLink | undefined
  #replyTo = ''

  constructor(options: BroadcastOptions) {
    this.#options = options
  }

  attach(link: AmqpLink): void {
    const { consuming: channel, n } = link
    const queue = acknowledgeQueueOf(this.#options.id, n)
    const listen = async () => {
      await channel.assertExchange(CONTROL_EXCHANGE, 'fanout', { durable: false })
      await channel.assertQueue(queue, { exclusive: true, autoDelete: true, durable: false })
      const hear = (message: { content: Buffer } | null) => this.#hear(message)
      await channel.consume(queue, hear, { noAck: true })
      this.#replyTo = queue
      this.#link = link
    }
    listen().catch((err: unknown) => this.#options.log.debug({ err }, 'nobody can be told'))
  }

  /** Resolves when all who run have taken `version`, or after a while. */
  async tell(version: number): Promise<Told> {
    const { view, withinMs = WITHIN_MS } = this.#options
    const asked = [...view.now.instances.keys()]
    for (const id of this.#heard.keys()) if (!asked.includes(id)) this.#heard.delete(id)
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (asked.every(id => this.#has(id, version) || !view.now.instances.has(id))) resolve()
    }
    using _changes = view.on(look)
    this.#looks.add(look)
    const late = setTimeout(resolve, withinMs)
    const link = this.#link
    const content = encode({ version, replyTo: this.#replyTo })
    if (link !== undefined) {
      whileOpen(() => link.publishing.publish(CONTROL_EXCHANGE, '', content))
    }
    look()
    await promise
    clearTimeout(late)
    this.#looks.delete(look)
    const running = asked.flatMap(id => {
      const node = view.now.instances.get(id)
      return node === undefined ? [] : [{ id, service: node.service, pid: node.pid }]
    })
    const { true: acknowledged = [], false: missing = [] } = Object.groupBy(running, ({ id }) =>
      this.#has(id, version) ? 'true' : 'false'
    )
    return { acknowledged, missing }
  }

  #has(id: string, version: number): boolean {
    const shown = this.#options.view.now.instances.get(id)?.version ?? -1
    return Math.max(shown, this.#heard.get(id) ?? -1) >= version
  }

  #hear(message: { content: Buffer } | null): void {
    const acknowledged = message && decodeAcknowledgement(message.content)
    if (acknowledged === null) return
    this.#heard.set(acknowledged.id, acknowledged.version)
    for (const look of [...this.#looks]) look()
  }
}
