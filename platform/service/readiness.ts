/**
 * What a service still waits for. It answers calls from the moment when it has had
 * everything once: what goes missing later makes some answers slow, not all of them
 * refusals.
 */
import { NotReadyError } from './errors.ts'

export class Readiness {
  readonly #missing: Set<string>
  #started = false

  constructor(needs: readonly string[]) {
    this.#missing = new Set(needs)
  }

  get missing(): readonly string[] {
    return [...this.#missing]
  }

  arrived(need: string): void {
    this.#missing.delete(need)
    this.#started ||= this.#missing.size === 0
  }

  lost(need: string): void {
    this.#missing.add(need)
  }

  /** @throws NotReadyError before everything was there once */
  check(): void {
    if (!this.#started) throw new NotReadyError(this.missing)
  }
}
