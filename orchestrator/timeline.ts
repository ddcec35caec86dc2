/**
 * What has happened to the cluster since this orchestrator began, as far as it saw:
 * told to listeners at once, logged, and kept for those who come later. Bounded.
 */
import type { Logger } from '../platform/log.ts'
import { type ClusterEvent, observe } from './cluster-events.ts'
import type { ClusterView } from './cluster-view.ts'

const KEPT_MAX = 200

export type Happening = ClusterEvent & {
  /** ISO text. */
  readonly at: string
}

export class Timeline implements Disposable {
  readonly #kept: Happening[] = []
  readonly #listeners = new Set<(happening: Happening) => void>()
  readonly #listening: Disposable
  #leaderlessSinceMs: number | null = null

  constructor(view: Pick<ClusterView, 'on'>, log: Logger) {
    this.#listening = view.on((after, before) => {
      const at = { nowMs: performance.now(), leaderlessSinceMs: this.#leaderlessSinceMs }
      const { events, leaderlessSinceMs } = observe(before, after, at)
      this.#leaderlessSinceMs = leaderlessSinceMs
      for (const event of events) {
        log.info({ ...event }, 'cluster changed')
        this.#tell({ at: new Date().toISOString(), ...event })
      }
    })
  }

  /** The last of them, oldest first. */
  get kept(): readonly Happening[] {
    return this.#kept
  }

  on(listener: (happening: Happening) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    this.#listeners.clear()
  }

  #tell(happening: Happening): void {
    this.#kept.push(happening)
    if (this.#kept.length > KEPT_MAX) this.#kept.shift()
    for (const listener of [...this.#listeners]) listener(happening)
  }
}
