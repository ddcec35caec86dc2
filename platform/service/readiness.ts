/**
 * What a service still waits for. It answers calls from the moment when it has had
 * everything once: what goes missing later makes some answers slow, not all of them
 * refusals.
 */
import { NotReadyError } from './errors.ts'

const NEEDS = ['zookeeper', 'orchestrator', 'schema', 'rabbitmq'] as const
/** RabbitMQ is not tried before these are there, so that nothing is known of it. */
const FIRST: readonly Need[] = ['zookeeper', 'orchestrator', 'schema']
export type Need = (typeof NEEDS)[number]

export class Readiness {
  readonly #missing = new Set<Need>(NEEDS)
  readonly #waiting = new Map<Need, () => void>()
  #started = false

  get missing(): readonly Need[] {
    const first = FIRST.filter(need => this.#missing.has(need))
    return first.length > 0 ? first : [...this.#missing]
  }

  set(need: Need, here: boolean): void {
    if (!here) {
      this.#missing.add(need)
      return
    }
    this.#missing.delete(need)
    this.#started ||= this.#missing.size === 0
    this.#waiting.get(need)?.()
  }

  /** Resolves when `need` is there; it may be asked for once. */
  async until(need: Need): Promise<void> {
    if (this.#missing.has(need)) {
      await new Promise<void>(resolve => this.#waiting.set(need, resolve))
    }
  }

  /** @throws NotReadyError before everything was there once */
  check(): void {
    if (!this.#started) throw new NotReadyError(this.missing)
  }
}
