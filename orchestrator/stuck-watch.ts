/**
 * Watches what keeps writes from succeeding: who was missed when, since when each obstacle
 * has been there, and how long writes have waited. Says it loudly, once, when it lasts.
 * Invariant: after a start nothing is ready before everything is; later, what passes within
 * the grace (a failover, say) is not told.
 */
import type { Logger } from '../platform/log.ts'
import type { ClusterView } from './cluster-view.ts'
import {
  type Facts,
  lasting,
  NONE_WAITS,
  noteObstacles,
  noteWrites,
  type Obstacle,
  obstaclesOf,
  type Since,
  type Waiting
} from './obstacles.ts'
import { type Absences, noteAbsences } from './stuck.ts'

/** All workers killed at once are back by then. */
const LOUD_AFTER_MS = 5_000
const LOOK_MS = 250

export interface StuckWatchOptions {
  readonly view: ClusterView
  /** What is not seen in the view of the cluster. */
  readonly look: () => Pick<Facts, 'minCopies' | 'zookeeper' | 'broker' | 'frozen'> & {
    readonly writesDisabled: boolean
    /** Writes without an answer, and how many were answered so far. */
    readonly writes: { readonly waiting: number; readonly answered: number }
  }
  readonly log: Logger
}

export class StuckWatch implements Disposable {
  readonly #options: StuckWatchOptions
  readonly #listening: Disposable
  readonly #timer: NodeJS.Timeout
  #absences: Absences = new Map()
  #writes: Waiting = NONE_WAITS
  #since: Since = new Map()
  #wasReady = false
  #stuckSinceMs: number | null = null
  #told = false

  constructor(options: StuckWatchOptions) {
    this.#options = options
    this.#listening = options.view.on((after, before) => {
      this.#absences = noteAbsences(this.#absences, { before, after }, performance.now())
    })
    this.#timer = setInterval(() => this.#tell(), LOOK_MS)
  }

  /** What there is to be told to an operator. */
  get now(): Obstacle | null {
    return lasting(this.#look(), { since: this.#since, nowMs: performance.now() })[0] ?? null
  }

  /** Why this orchestrator is not ready to take writes; empty when it is. */
  get obstacles(): Obstacle[] {
    const all = this.#look()
    const settled = { since: this.#since, nowMs: performance.now() }
    return this.#wasReady ? lasting(all, settled) : all
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    clearInterval(this.#timer)
  }

  #look(): Obstacle[] {
    const nowMs = performance.now()
    const { writes, ...looked } = this.#options.look()
    this.#writes = noteWrites(this.#writes, { ...writes, nowMs })
    const facts = { cluster: this.#options.view.now, absences: this.#absences, nowMs }
    const all = obstaclesOf({ ...facts, ...looked, writes: this.#writes })
    this.#since = noteObstacles(this.#since, all, nowMs)
    this.#wasReady ||= all.length === 0
    return all
  }

  #tell(): void {
    const { log } = this.#options
    const stuck = this.now
    const nowMs = performance.now()
    this.#stuckSinceMs = stuck === undefined ? null : (this.#stuckSinceMs ?? nowMs)
    const isLong = this.#stuckSinceMs !== null && nowMs - this.#stuckSinceMs >= LOUD_AFTER_MS
    if (stuck !== undefined && isLong && !this.#told)
      log.error({ ...stuck }, 'writes cannot succeed')
    if (stuck === undefined && this.#told) log.warn('writes can succeed again')
    this.#told = isLong
  }
}
