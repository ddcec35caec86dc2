/**
 * The network between Convoy's processes and RabbitMQ and ZooKeeper, as a test breaks it.
 * A party is a worker, by the name of its folder, or another program by its name: what is
 * done to a party goes on for the process that follows it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { ServiceAddresses } from '../../local/services.ts'
import { Link } from '../../platform/zookeeper/link.ts'
import type { Direction, SeenSession } from './proxy.ts'

export const SERVICES = ['rabbitmq', 'zookeeper'] as const
export type Service = (typeof SERVICES)[number]

export interface Rule {
  readonly party: string
  readonly service: Service
  readonly direction: Direction | 'both'
  readonly delayMs: number | 'cut'
}

/** To the process that proxies: all rules that hold from now on, and whose connections to break. */
export interface Order {
  readonly id: number
  readonly rules: readonly Rule[]
  readonly reset: readonly { readonly party: string; readonly service: Service }[]
}

export interface Reply {
  readonly id: number
  readonly sessions: readonly SeenSession[]
}

const EXPIRY_TIMEOUT_MS = 4_000

export class Network implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #direct: ServiceAddresses
  readonly #through: ServiceAddresses
  #rules: readonly Rule[] = []
  #orders = 0

  private constructor(
    proxying: ChildProcess,
    direct: ServiceAddresses,
    ports: Record<Service, number>
  ) {
    this.#process = proxying
    this.#direct = direct
    const amqp = new URL(direct.CONVOY_AMQP_URL)
    amqp.port = String(ports.rabbitmq)
    this.#through = {
      ...direct,
      CONVOY_AMQP_URL: amqp.href,
      CONVOY_ZOOKEEPER: `127.0.0.1:${ports.zookeeper}`
    }
  }

  static async open(direct: ServiceAddresses): Promise<Network> {
    const behind: Record<Service, number> = {
      rabbitmq: Number(new URL(direct.CONVOY_AMQP_URL).port),
      zookeeper: Number(direct.CONVOY_ZOOKEEPER.split(':')[1])
    }
    const main = new URL('./network-process.ts', import.meta.url)
    // Without the options and loaders that a test runs under; and Ctrl-C is for the test, which ends it.
    const apart = { execArgv: [], env: {}, detached: true }
    const proxying = fork(main, [JSON.stringify(behind)], apart)
    const [ports] = (await once(proxying, 'message')) as [Record<Service, number>]
    return new Network(proxying, direct, ports)
  }

  /** What Convoy's processes are to be given. */
  get addresses(): ServiceAddresses {
    return this.#through
  }

  async add(rules: readonly Rule[]): Promise<void> {
    this.#rules = [...this.#rules, ...rules]
    await this.#order()
  }

  async remove(rules: readonly Rule[]): Promise<void> {
    this.#rules = this.#rules.filter(rule => !rules.includes(rule))
    await this.#order()
  }

  /** Breaks the party's connections; it may connect again at once. */
  async reset(party: string, service: Service): Promise<void> {
    await this.#order([{ party, service }])
  }

  /** Ends the party's ZooKeeper session, as the server does when it has heard nothing for too long. */
  async expire(party: string): Promise<void> {
    const { sessions } = await this.#order()
    const seen = sessions.findLast(session => session.party === party)
    if (seen === undefined) throw new Error(`${party} has no ZooKeeper session`)
    // Whoever has a session's password can take it over; its orderly end is an end for all.
    const link = await Link.dial({
      host: this.#direct.CONVOY_ZOOKEEPER,
      auth: this.#direct.CONVOY_ZOOKEEPER_AUTH,
      timeoutMs: EXPIRY_TIMEOUT_MS,
      session: { id: Buffer.from(seen.id, 'hex'), password: Buffer.from(seen.password, 'hex') }
    })
    await link.close()
    await this.reset(party, 'zookeeper')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#process.connected) return
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }

  /** @returns when it is done */
  async #order(reset: Order['reset'] = []): Promise<Reply> {
    const order: Order = { id: this.#orders++, rules: this.#rules, reset }
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const hear = (reply: Reply) => {
      if (reply.id !== order.id) return
      this.#process.off('message', hear)
      resolve(reply)
    }
    this.#process.on('message', hear)
    this.#process.send(order)
    return promise
  }
}
