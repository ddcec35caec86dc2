/**
 * What may befall the simulated RabbitMQ and ZooKeeper, and what travels to and from
 * them. Each returns what was struck, for the trace, or null.
 */
import { CALM } from './rabbitmq.ts'
import type { World } from './world.ts'

export class ServerFaults {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  storm(): string {
    const { rabbitmq } = this.#world
    const chance = (most: number) =>
      this.#world.dice.chance(0.5) ? this.#world.dice.next() * most : 0
    rabbitmq.weather = {
      lose: chance(0.3),
      double: chance(0.3),
      slow: chance(0.3),
      disorder: chance(1)
    }
    return this.#world.forAWhile(() => {
      rabbitmq.weather = CALM
    })
  }

  restartRabbit(): string | null {
    const { rabbitmq } = this.#world
    if (!rabbitmq.up) return null
    rabbitmq.stop()
    return this.#world.forAWhile(() => rabbitmq.start())
  }

  restartZooKeeper(): string | null {
    const { zookeeper } = this.#world
    if (!zookeeper.up) return null
    zookeeper.stop()
    return this.#world.forAWhile(() => zookeeper.start())
  }

  /** For longer than any session may be silent. */
  freezeZooKeeper(): string | null {
    const { zookeeper, dice, plan, timeline } = this.#world
    if (!zookeeper.up) return null
    zookeeper.stop()
    const forMs = dice.between(plan.sessionTimeoutMs, 3 * plan.sessionTimeoutMs)
    timeline.after(forMs, () => {
      if (!zookeeper.up) zookeeper.wake()
    })
    return `${forMs} ms`
  }

  slowZooKeeper(): string {
    const { zookeeper } = this.#world
    zookeeper.slow = this.#world.dice.next() * 0.6
    return this.#world.forAWhile(() => {
      zookeeper.slow = 0
    })
  }

  fillQueue(): string {
    const { rabbitmq } = this.#world
    const queue =
      this.#world.dice.pick([rabbitmq.writeQ, rabbitmq.readQ, rabbitmq.strongQ]) ?? rabbitmq.writeQ
    queue.full = true
    return this.#world.forAWhile(() => {
      queue.full = false
    })
  }

  heal(): void {
    const { rabbitmq, zookeeper } = this.#world
    rabbitmq.weather = CALM
    zookeeper.slow = 0
    for (const queue of [rabbitmq.writeQ, rabbitmq.readQ, rabbitmq.strongQ]) queue.full = false
    if (!rabbitmq.up) rabbitmq.start()
    if (!zookeeper.up) zookeeper.start()
  }
}
