/**
 * The containers that run, each the one life of a process: who lives there, and the
 * death, told once, whether an event or a listing shows it.
 */
import type { Container, ContainerInfo } from 'dockerode'
import type { Logger } from '../../../platform/log.ts'
import { CONTAINER_FILE, type InContainer } from '../../../workers/container.ts'
import type { Death } from '../runtime.ts'
import { writeJson } from './archive.ts'
import { WORKER_DIR } from './containers.ts'
import { lastLines } from './output.ts'

export interface Life {
  readonly name: string
  readonly container: Container
  /** By which the worker knows that what it is told is meant for it. */
  readonly life: string
  /** Null until the worker there has whole data. */
  workerId: string | null
  /** On the engine's machine. */
  pid: number | null
  readonly sinceMs: number
}

/** A paused one is frozen, not dead. */
export const isAlive = ({ State }: ContainerInfo): boolean =>
  State === 'running' || State === 'paused'

export class Lives {
  readonly #lives = new Map<string, Life>()
  readonly #log: Logger
  readonly #onDeath: (death: Death) => void

  constructor(options: { readonly log: Logger; readonly onDeath: (death: Death) => void }) {
    this.#log = options.log
    this.#onDeath = options.onDeath
  }

  in(name: string): Life | undefined {
    return [...this.#lives.values()].find(life => life.name === name)
  }

  get(containerId: string): Life | undefined {
    return this.#lives.get(containerId)
  }

  begin(life: Omit<Life, 'sinceMs'>): Life {
    const begun = { ...life, sinceMs: performance.now() }
    this.#lives.set(life.container.id, begun)
    return begun
  }

  /** It has never lived: nobody is told of a death. */
  forget({ container }: Life): void {
    this.#lives.delete(container.id)
  }

  /** Learns the pid that the machine knows it by, and tells it to the worker. */
  async meet(life: Life): Promise<void> {
    const { State } = await life.container.inspect()
    if (!State.Running) return // it died at once: its event, or the next listing, tells
    life.pid = State.Pid
    const value: InContainer = { life: life.life, container: life.container.id, pid: State.Pid }
    try {
      await writeJson(life.container, WORKER_DIR, { name: CONTAINER_FILE, value })
    } catch (err) {
      this.#log.error({ err, name: life.name }, 'worker cannot be told its pid')
    }
  }

  died(containerId: string, exitCode: number | null = null): void {
    const life = this.#lives.get(containerId)
    if (life === undefined) return
    this.#lives.delete(containerId)
    const { name, workerId, pid, container } = life
    this.#onDeath({ name, workerId, pid })
    void lastLines(container).then(said =>
      this.#log.warn({ name, worker: pid, exitCode, said }, 'worker container ended')
    )
  }

  /** @param askedAtMs when `listed` was asked for: what began later may be missing in it */
  compare(listed: readonly ContainerInfo[], askedAtMs: number): void {
    const states = new Map(listed.map(one => [one.Id, one]))
    for (const [id, { sinceMs }] of this.#lives) {
      const now = states.get(id)
      if (now === undefined ? sinceMs < askedAtMs : hasEnded(now)) this.died(id)
    }
  }
}

/** One that is made is not started yet. */
const hasEnded = (one: ContainerInfo): boolean => !isAlive(one) && one.State !== 'created'
