/**
 * Which elections there were, as the orchestrators tell them. All are listened to: one
 * may be killed, and one that did not see the end of a mastership does not know how long
 * nobody led.
 */
import { happenings } from '../../local/happenings.ts'
import type { Happening } from '../../orchestrator/timeline.ts'
import type { Election } from './verdict.ts'

export class Elections {
  readonly #ended = new AbortController()
  readonly #fromMs = performance.now()
  readonly #seen: Election[] = []

  constructor(urls: readonly string[]) {
    for (const url of urls) void this.#watch(url)
  }

  /** One for each term, unless two led in it. */
  get seen(): readonly Election[] {
    return this.#seen
  }

  end(): void {
    this.#ended.abort()
  }

  async #watch(url: string): Promise<void> {
    for await (const event of happenings({ urls: [url], ended: this.#ended.signal })) {
      this.#take(event)
    }
  }

  #take(event: Happening): void {
    if (event.type !== 'elected') return
    const { term, pid, durationMs } = event
    const at = this.#seen.findIndex(one => one.term === term && one.pid === pid)
    const atS = (performance.now() - this.#fromMs) / 1_000
    const known = this.#seen[at]
    if (known === undefined) this.#seen.push({ atS, term, pid, durationMs })
    else this.#seen[at] = { ...known, durationMs: known.durationMs ?? durationMs }
  }
}
