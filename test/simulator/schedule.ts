/**
 * One schedule: a whole cluster on one seed, faults, healing, and all checks. The same
 * seed brings the same schedule, on any machine.
 */
import { checkHistory, told } from '../../testing/history/laws.ts'
import { Clients } from './clients.ts'
import { Faults } from './faults.ts'
import type { Figures } from './figures.ts'
import { Orchestrators } from './orchestrators.ts'
import { Places } from './places.ts'
import { HEALED_WITHIN_MS } from './plan.ts'
import { BANK_ACCOUNTS, BANK_START } from './rows.ts'
import { World } from './world.ts'

export type { Figures } from './figures.ts'
export { type FailureKind, ScheduleFailure } from './judge.ts'

const LOOK_MS = 25
/** A schedule of so many moments goes round in circles. */
const MOMENTS_MAX = 300_000

export interface ScheduleOptions {
  /** Takes a line for each thing worth telling; without it nothing is put into words. */
  readonly trace?: (line: string) => void
}

/** @throws ScheduleFailure when the cluster did what it must not do; any other error is a bug */
export function runSchedule(seed: number, options: ScheduleOptions = {}): Figures {
  const world = new World(seed, options.trace ?? null)
  const schedule = new Schedule(world)
  while (!schedule.done && world.timeline.step()) {
    if (world.timeline.count > MOMENTS_MAX) world.judge.fail('not healed', 'too much happens')
  }
  return world.tell()
}

class Schedule {
  done = false
  readonly #world: World
  readonly #places: Places
  readonly #clients: Clients
  readonly #faults: Faults
  #healedMs = 0

  constructor(world: World) {
    this.#world = world
    const { plan, timeline, note } = world
    this.#places = new Places(world)
    const orchestrators = new Orchestrators(world)
    this.#clients = new Clients(world, () => orchestrators.all)
    this.#faults = new Faults(world, this.#places, orchestrators)
    note?.(`plan ${JSON.stringify(plan)}, workload ${this.#clients.asking.name}`)
    timeline.after(plan.faultsMs, () => this.#heal())
  }

  #heal(): void {
    const { note, timeline } = this.#world
    note?.('all faults end')
    this.#faults.heal()
    this.#healedMs = timeline.nowMs
    this.#look()
  }

  /** First all is well and everyone is served, then the clients stop, then all are equal. */
  #look(): void {
    const { timeline, judge } = this.#world
    const clients = this.#clients
    const trouble = this.#trouble()
    const served = clients.allServedMs > this.#healedMs
    if (trouble === null && served) clients.stopped = true
    if (clients.stopped && clients.open === 0 && trouble === null && this.#areLevel()) {
      this.#end()
      return
    }
    const forMs = timeline.nowMs - this.#healedMs
    if (forMs > HEALED_WITHIN_MS) {
      const what = trouble ?? (served ? `${clients.open} requests are open` : 'some are not served')
      judge.fail('not healed', `${what} after ${forMs.toFixed(0)} ms`)
    }
    timeline.after(LOOK_MS, () => this.#look())
  }

  /** What is still not as it should be. */
  #trouble(): string | null {
    const { plan, zookeeper } = this.#world
    const { inSync } = zookeeper.now.node.state
    const workers = this.#places.workers
    if (workers.length < plan.workers) return `${workers.length} workers run`
    const leaders = workers.filter(({ view }) => view.leads)
    if (leaders.length !== 1) return `${leaders.length} masters serve`
    const outside = workers.find(({ id }) => !inSync.includes(id))
    if (outside !== undefined) return `${outside.id} is not in sync`
    if (inSync.length !== workers.length) return `in sync are ${inSync}`
    return null
  }

  #areLevel(): boolean {
    const { workers } = this.#places
    const end = workers[0]?.disk.last.checksum
    const isLevel = workers.every(({ disk, state }) => {
      return disk.last.checksum === end && state.commitIndex >= disk.last.index
    })
    return isLevel && this.#world.judge.truth.at(-1)?.checksum === end
  }

  #end(): void {
    const { judge } = this.#world
    const [first, ...others] = this.#places.workers
    for (const other of others) {
      for (const [key, row] of first?.disk.rows ?? []) {
        if (other.disk.rows.get(key) !== row) judge.fail('workers differ', `${other.id} at ${key}`)
      }
    }
    const { maxReadAgeMs } = this.#world.plan.settings
    const problem = checkHistory(this.#clients.history, {
      maxReadAgeMs: maxReadAgeMs + this.#world.plan.lagMs,
      bankTotal: BANK_ACCOUNTS * BANK_START
    })
    if (problem !== null) judge.fail('history', told(problem))
    this.done = true
  }
}
