/**
 * Figures of the read cache. Its hit rate is `hit` by the sum of all outcomes.
 */
import { Counter, Gauge, type Registry } from 'prom-client'
/** Of `ReadCache`. */
export interface Counted {
  readonly counts: Readonly<Record<string, number>>
  readonly size: number
  readonly bytes: number
}

export function observeCache(metrics: Registry, cache: Counted): void {
  new Counter({
    name: 'convoy_cache_reads_total',
    help: 'Replica and session reads: told from what is kept (hit), or why not',
    labelNames: ['outcome'],
    registers: [metrics],
    collect() {
      this.reset()
      for (const [outcome, count] of Object.entries(cache.counts)) this.inc({ outcome }, count)
    }
  })
  new Gauge({
    name: 'convoy_cache_answers',
    help: 'Answers that are kept',
    registers: [metrics],
    collect() {
      this.set(cache.size)
    }
  })
  new Gauge({
    name: 'convoy_cache_bytes',
    help: 'Memory that the kept answers take',
    registers: [metrics],
    collect() {
      this.set(cache.bytes)
    }
  })
}
