/**
 * Remembers which in-sync workers were seen last, and when; and says it loudly, once,
 * when nobody can be elected and that does not pass.
 */
import type { Logger } from '../platform/log.ts'
import type { ClusterView } from './cluster-view.ts'
import { type Absences, noteAbsences, type Stuck, stuckOf } from './stuck.ts'

/** All workers killed at once are back by then. */
const LOUD_AFTER_MS = 5_000

export class StuckWatch implements Disposable {
  readonly #view: ClusterView
  readonly #listening: Disposable
  readonly #timer: NodeJS.Timeout
  #absences: Absences = new Map()
  #sinceMs: number | null = null
  #told = false

  constructor(view: ClusterView, log: Logger) {
    this.#view = view
    this.#listening = view.on((after, before) => {
      this.#absences = noteAbsences(this.#absences, { before, after }, performance.now())
    })
    this.#timer = setInterval(() => this.#tell(log), LOUD_AFTER_MS / 5)
  }

  get now(): Stuck | null {
    return stuckOf(this.#view.now, this.#absences, performance.now())
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    clearInterval(this.#timer)
  }

  #tell(log: Logger): void {
    const stuck = this.now
    const nowMs = performance.now()
    this.#sinceMs = stuck === null ? null : (this.#sinceMs ?? nowMs)
    const isLong = this.#sinceMs !== null && nowMs - this.#sinceMs >= LOUD_AFTER_MS
    if (stuck !== null && isLong && !this.#told) log.error({ ...stuck }, 'nobody can be elected')
    if (stuck === null && this.#told) log.warn('somebody can be elected again')
    this.#told = isLong
  }
}
