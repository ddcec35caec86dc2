/**
 * Whether an engine can be reached, since when not, and when it is dialled again: with
 * backoff, whoever asks how often. Both turns of it are told once.
 */

import type { Logger } from '../../../platform/log.ts'
import { type BackoffPolicy, backoffMs } from '../../../wire/backoff.ts'

const REDIAL: BackoffPolicy = { firstMs: 250, maxMs: 5_000 }

export class Reach {
  readonly #log: Logger
  #awaySinceMs: number | null = null
  #attempts = 0
  #redialAtMs = 0

  constructor(log: Logger) {
    this.#log = log
  }

  get away(): boolean {
    return this.#awaySinceMs !== null
  }

  awayMs(): number {
    return this.#awaySinceMs === null ? 0 : performance.now() - this.#awaySinceMs
  }

  /** Whether it may be dialled now. */
  get due(): boolean {
    return performance.now() >= this.#redialAtMs
  }

  reached(): void {
    if (this.away) this.#log.info('engine is back')
    this.#awaySinceMs = null
    this.#attempts = 0
    this.#redialAtMs = 0
  }

  missed(err: unknown): void {
    const nowMs = performance.now()
    if (!this.away) this.#log.error({ err }, 'engine cannot be reached')
    this.#awaySinceMs ??= nowMs
    this.#redialAtMs = nowMs + backoffMs(REDIAL, this.#attempts++)
  }
}
