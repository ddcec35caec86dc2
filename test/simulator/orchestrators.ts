/**
 * The orchestrators of a simulated cluster: where they run, and what may befall them.
 */
import { Machine } from './cable.ts'
import { Orchestrator } from './orchestrator.ts'
import { CALM } from './rabbitmq.ts'
import type { World } from './world.ts'

const RESTART_MS = 60

export class Orchestrators {
  readonly #world: World
  readonly #machines: Machine[] = []
  readonly #all = new Map<Machine, Orchestrator>()

  constructor(world: World) {
    this.#world = world
    for (let i = 1; i <= world.plan.orchestrators; i++) {
      const machine = new Machine(`o${i}`)
      this.#machines.push(machine)
      this.#start(machine)
    }
  }

  get all(): Orchestrator[] {
    return [...this.#all.values()]
  }

  /** A crash, a pause, or a cut. */
  strike(undoAfter: (undo: () => void) => string): string | null {
    const { dice, timeline } = this.#world
    const machine = dice.pick(this.#machines)
    const orchestrator = machine === undefined ? undefined : this.#all.get(machine)
    if (machine === undefined || orchestrator === undefined) return null
    const how = dice.between(1, 4)
    if (how === 1) {
      orchestrator.die()
      this.#all.delete(machine)
      timeline.after(dice.between(5, RESTART_MS), () => this.#start(machine))
      return `${orchestrator.id} crashes`
    }
    if (how === 2) {
      orchestrator.pause()
      return `${orchestrator.id} is paused, ${undoAfter(() => orchestrator.resume())}`
    }
    const cable = how === 3 ? machine.rabbit : machine.zookeeper
    cable.cut(dice.pick(['both', 'out', 'back'] as const) ?? 'both')
    const from = how === 3 ? 'RabbitMQ' : 'ZooKeeper'
    return `${orchestrator.id} is cut from ${from}, ${undoAfter(() => cable.mend())}`
  }

  /** What it hears of `sync` is lost or late; all else reaches it. */
  deafen(undoAfter: (undo: () => void) => string): string | null {
    const { dice, plan, rabbitmq } = this.#world
    const machine = dice.pick(this.#machines)
    if (machine === undefined || !plan.keepsReads) return null
    const bad = dice.pick([{ lose: 1 }, { lose: 1 }, { lose: 0.5 }, { slow: 1, disorder: 1 }])
    rabbitmq.syncWeather.set(machine, { ...CALM, ...bad })
    const lasts = undoAfter(() => rabbitmq.syncWeather.delete(machine))
    return `${machine.name}, ${JSON.stringify(bad)}, ${lasts}`
  }

  heal(): void {
    this.#world.rabbitmq.syncWeather.clear()
    for (const machine of this.#machines) {
      machine.rabbit.mend()
      machine.zookeeper.mend()
      this.#all.get(machine)?.resume()
    }
  }

  #start(machine: Machine): void {
    this.#all.set(machine, new Orchestrator(this.#world, { id: machine.name, machine }))
  }
}
