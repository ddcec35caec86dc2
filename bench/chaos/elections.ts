/**
 * Which elections there were, as the orchestrators tell them. All are listened to: one
 * may be killed, and one that did not see the end of a mastership does not know how long
 * nobody led.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterEvent } from '../../orchestrator/cluster-events.ts'
import type { Election } from './verdict.ts'

const AGAIN_MS = 250

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
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        await this.#read(await fetch(`${url}/api/v1/cluster/events`, { signal }))
      } catch {
        // It is away just now.
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {})
    }
  }

  async #read({ body }: Response): Promise<void> {
    if (body === null) return
    let rest = ''
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('data: ')) this.#take(JSON.parse(line.slice('data: '.length)))
      }
    }
  }

  #take(event: ClusterEvent): void {
    if (event.type !== 'elected') return
    const { term, pid, durationMs } = event
    const at = this.#seen.findIndex(one => one.term === term && one.pid === pid)
    const atS = (performance.now() - this.#fromMs) / 1_000
    const known = this.#seen[at]
    if (known === undefined) this.#seen.push({ atS, term, pid, durationMs })
    else this.#seen[at] = { ...known, durationMs: known.durationMs ?? durationMs }
  }
}
