/**
 * How long nobody was answered. Pure: times of answers in, the longest gap out.
 */

export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * Between two answers, of those gaps that touch the window: one that began before it, or
 * that has not ended with it, counts whole as far as the window's end.
 *
 * @param atMs ascending
 */
export function longestGapMs(atMs: readonly number[], { fromMs, toMs }: Window): number {
  const before = firstAfter(atMs, fromMs) - 1
  let lastMs = atMs[before] ?? fromMs
  let longestMs = 0
  for (let i = before + 1; i < atMs.length; i++) {
    const nowMs = Math.min(atMs[i] as number, toMs)
    longestMs = Math.max(longestMs, nowMs - lastMs)
    if (nowMs === toMs) return longestMs
    lastMs = nowMs
  }
  return Math.max(longestMs, toMs - lastMs)
}

/** Position of the first time after `fromMs`. */
function firstAfter(atMs: readonly number[], fromMs: number): number {
  let [low, high] = [0, atMs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((atMs[middle] as number) <= fromMs) low = middle + 1
    else high = middle
  }
  return low
}
