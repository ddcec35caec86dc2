/**
 * How many reads orchestrators have told from what they keep, over a whole run: a run
 * without any says nothing of the read cache. A count begins anew with each process, so
 * all are looked at again and again; what one counted last before its death is missing.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 2_000
const PATIENCE_MS = 1_000
const HIT = /^convoy_cache_reads_total\{outcome="hit"[^\n]* (\d+)$/m

/** Sums what counters grow by. Pure. */
export class Hits {
  readonly #last = new Map<string, number>()
  #sum = 0

  get sum(): number {
    return this.#sum
  }

  /** @param count at `url` now: less than before is that of another process */
  saw(url: string, count: number): void {
    const before = this.#last.get(url) ?? 0
    this.#sum += count < before ? count : count - before
    this.#last.set(url, count)
  }
}

/** Looks until it is stopped, and once more. */
export async function countHits(
  urls: readonly string[],
  { hits, stopped }: { readonly hits: Hits; readonly stopped: AbortSignal }
): Promise<void> {
  let isLast = false
  do {
    isLast = stopped.aborted
    await Promise.all(urls.map(url => look(url, hits)))
    await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => {})
  } while (!isLast)
}

/** Who is dead or stopped is looked at the next time. */
async function look(url: string, hits: Hits): Promise<void> {
  try {
    const reply = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    const [, count] = HIT.exec(await reply.text()) ?? []
    if (count !== undefined) hits.saw(url, Number(count))
  } catch {}
}
