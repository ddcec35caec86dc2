/**
 * Quantiles of the last seconds from the histogram that every HTTP server keeps anyway
 * (platform/http/times.ts), so that the way of a request has nothing more to do. As
 * exact as its buckets: within one, times are taken to be spread evenly. Pure.
 */

/** One line of a histogram, as prom-client gives it. */
export interface HistogramLine {
  readonly metricName?: string
  readonly labels: Readonly<Partial<Record<string, string | number>>>
  readonly value: number
}

/** Answers so far of one kind, and how many of them took at most so long. */
export interface Answered {
  readonly count: number
  /** Answered with 5xx. */
  readonly failed: number
  /** By the upper bound of each bucket, in seconds; cumulative. */
  readonly within: ReadonlyMap<number, number>
}

export const NONE_ANSWERED: Answered = { count: 0, failed: 0, within: new Map() }

export function answeredOf(lines: readonly HistogramLine[], route: string): Answered {
  let count = 0
  let failed = 0
  const within = new Map<number, number>()
  for (const { metricName = '', labels, value } of lines) {
    if (labels['route'] !== route) continue
    if (metricName.endsWith('_count')) {
      count += value
      if (String(labels['status']).startsWith('5')) failed += value
    } else if (metricName.endsWith('_bucket')) {
      const bound = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le'])
      within.set(bound, (within.get(bound) ?? 0) + value)
    }
  }
  return { count, failed, within }
}

/** @returns milliseconds, of the answers between the two; null when there were none */
export function quantileMs(before: Answered, after: Answered, q: number): number | null {
  const bounds = [...after.within.keys()].sort((a, b) => a - b)
  const since = (bound: number) => (after.within.get(bound) ?? 0) - (before.within.get(bound) ?? 0)
  const all = since(bounds.at(-1) ?? 0)
  if (all <= 0) return null
  const rank = q * all
  let lower = 0
  let passed = 0
  for (const bound of bounds) {
    const upTo = since(bound)
    if (upTo >= rank && upTo > passed) {
      // Beyond the last bucket nothing is known but that.
      const upper = Number.isFinite(bound) ? bound : lower
      const share = (rank - passed) / (upTo - passed)
      return Math.round((lower + (upper - lower) * share) * 100_000) / 100
    }
    if (Number.isFinite(bound)) lower = bound
    passed = upTo
  }
  return lower * 1_000
}
