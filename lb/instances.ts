/**
 * The instances of one service, as they come and go in ZooKeeper.
 * Invariants:
 * - While ZooKeeper is silent, those last known stay.
 * - One that vanishes gets no new requests, and some time to end those it has. One that is
 *   frozen gets none either, and ends those it has in its own time.
 * - Whoever finds no instance waits for one, with others, until a deadline; the
 *   number of those who wait is bounded.
 */

import { childOf, type Logger } from '../platform/log.ts'
import type { Node, ZooKeeper } from '../platform/zookeeper.ts'
import { OverloadedError } from '../wire/errors.ts'
import { SERVICES, type ServiceNode } from '../wire/znodes.ts'
import { choose } from './choice.ts'
import { NoInstanceError } from './errors.ts'
import { Instance } from './instance.ts'
import type { Patience } from './patience.ts'

const WAITING_MAX = 1_000
/** How often those who wait look again whether a circuit admits a request. */
const LOOK_MS = 50
/** What an instance that vanished has under way may take this long; it may also come back. */
const GRACE_MS = 2_000

export class Instances implements Disposable {
  readonly service: string
  readonly #log: Logger
  readonly #watch: Disposable
  readonly #present = new Map<string, Instance>()
  /** Those of `#present` that are not frozen: an array, for it is drawn from at each request. */
  #list: readonly Instance[] = []
  readonly #leaving = new Map<string, { instance: Instance; timer: NodeJS.Timeout }>()
  #waiting = 0
  #look: { promise: Promise<void>; end: () => void } | undefined

  constructor(options: {
    readonly zooKeeper: Pick<ZooKeeper, 'watchChildren'>
    readonly service: string
    readonly log: Logger
  }) {
    this.service = options.service
    this.#log = childOf(options.log, { to: options.service })
    const path = `${SERVICES}/${options.service}`
    this.#watch = options.zooKeeper.watchChildren(path, nodes => this.#changed(nodes))
  }

  get origins(): readonly string[] {
    return this.#list.map(instance => instance.origin)
  }

  hasOther(than: Instance): boolean {
    const other = choose(this.#list, { nowMs: performance.now(), avoid: than })
    return other !== undefined && other !== than
  }

  /** @returns undefined when there is none to be tried at this moment */
  choose(avoid: Instance | undefined): Instance | undefined {
    return choose(this.#list, { nowMs: performance.now(), avoid })
  }

  /**
   * As `choose`, but waits for one, unless the client leaves.
   * @throws NoInstanceError when there is none until `deadlineMs` (of performance.now)
   * @throws OverloadedError when too many wait already
   */
  async wait(
    avoid: Instance | undefined,
    { deadlineMs, patience }: { readonly deadlineMs: number; readonly patience: Patience }
  ): Promise<Instance> {
    if (this.#waiting >= WAITING_MAX) throw new OverloadedError(`${this.service} is overloaded`)
    this.#waiting += 1
    try {
      for (;;) {
        const instance = this.choose(avoid)
        if (instance !== undefined) return instance
        if (performance.now() >= deadlineMs || patience.left) {
          throw new NoInstanceError(`no instance of ${this.service} is there`)
        }
        await this.#nextLook()
      }
    } finally {
      this.#waiting -= 1
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
    for (const { instance, timer } of this.#leaving.values()) {
      clearTimeout(timer)
      instance.retire()
    }
    for (const instance of this.#present.values()) instance.retire()
  }

  /** One timer for all who wait. */
  #nextLook(): Promise<void> {
    if (this.#look === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(() => this.#look?.end(), LOOK_MS)
      const end = () => {
        clearTimeout(timer)
        this.#look = undefined
        resolve()
      }
      this.#look = { promise, end }
    }
    return this.#look.promise
  }

  #changed(nodes: ReadonlyMap<string, Node>): void {
    const found = [...nodes.values()].flatMap(placeOf)
    const origins = new Set(found.map(({ origin }) => origin))
    const frozen = new Set(found.flatMap(one => (one.frozen ? one.origin : [])))
    for (const [origin, instance] of this.#present) {
      if (!origins.has(origin)) this.#leave(origin, instance)
    }
    for (const origin of origins) if (!this.#present.has(origin)) this.#join(origin)
    this.#list = [...this.#present.values()].filter(({ origin }) => !frozen.has(origin))
    this.#look?.end()
  }

  #join(origin: string): void {
    const back = this.#leaving.get(origin)
    if (back !== undefined) clearTimeout(back.timer)
    this.#leaving.delete(origin)
    this.#present.set(origin, back?.instance ?? new Instance(origin, this.#log))
    this.#log.info({ origin }, 'instance joined')
  }

  #leave(origin: string, instance: Instance): void {
    this.#present.delete(origin)
    const timer = setTimeout(() => {
      this.#leaving.delete(origin)
      instance.retire()
    }, GRACE_MS)
    this.#leaving.set(origin, { instance, timer })
    this.#log.info({ origin }, 'instance left')
  }
}

/** None for a node that is not written by `registerService`. */
function placeOf(node: Node): { origin: string; frozen: boolean }[] {
  try {
    const { http, frozen = false } = JSON.parse(node.data) as Partial<ServiceNode>
    return typeof http === 'string' ? [{ origin: new URL(http).origin, frozen }] : []
  } catch {
    return []
  }
}
