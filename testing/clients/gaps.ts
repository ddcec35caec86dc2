/**
 * How long nobody was answered. Pure: times of answers in, the longest gap out.
 */

export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * The longest time within the window without an answer; its ends count as answers.
 *
 * @param atMs ascending
 */
export function longestGapMs(atMs: readonly number[], { fromMs, toMs }: Window): number {
  let lastMs = fromMs
  let longestMs = 0
  for (let i = firstAfter(atMs, fromMs); i < atMs.length; i++) {
    const nowMs = atMs[i] as number
    if (nowMs >= toMs) break
    longestMs = Math.max(longestMs, nowMs - lastMs)
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
