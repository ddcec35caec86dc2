/**
 * What a run measured: per kind of action the latencies and the answers by status.
 */
import type { Kind } from './plan.ts'

export interface Line {
  readonly kind: Kind
  readonly count: number
  readonly perS: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Answers by status, 'none' for calls without one. */
  readonly statuses: Readonly<Record<string, number>>
}

export class Figures {
  readonly #latencies = new Map<Kind, number[]>()
  readonly #statuses = new Map<Kind, Map<string, number>>()

  add(kind: Kind, { ms, status }: { readonly ms: number; readonly status: number | 'none' }): void {
    const latencies = this.#latencies.get(kind) ?? []
    const statuses = this.#statuses.get(kind) ?? new Map<string, number>()
    latencies.push(ms)
    statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1)
    this.#latencies.set(kind, latencies)
    this.#statuses.set(kind, statuses)
  }

  /** @param seconds how long the run took, by kind: phases follow each other */
  lines(seconds: (kind: Kind) => number): Line[] {
    return [...this.#latencies].map(([kind, unsorted]) => {
      const sorted = Float64Array.from(unsorted).sort()
      return {
        kind,
        count: sorted.length,
        perS: sorted.length / seconds(kind),
        p50Ms: quantile(sorted, 0.5),
        p95Ms: quantile(sorted, 0.95),
        p99Ms: quantile(sorted, 0.99),
        maxMs: quantile(sorted, 1),
        statuses: Object.fromEntries(this.#statuses.get(kind) ?? [])
      }
    })
  }
}

/** The smallest value that at least the share `q` of all does not exceed. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}
