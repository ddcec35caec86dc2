/**
 * Moments on a history's clock. Two that are equal are concurrent: neither was before the other.
 */

/** How many of `sorted` are at `moment` or before it. */
export function countUpTo(sorted: readonly number[], moment: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) <= moment) low = middle + 1
    else high = middle
  }
  return low
}

/** How many of `sorted` are before `moment`. */
export function countBefore(sorted: readonly number[], moment: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) < moment) low = middle + 1
    else high = middle
  }
  return low
}
