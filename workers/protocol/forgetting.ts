/**
 * When a request id may be forgotten: when its entry has been known to be committed for long enough.
 * Time is that of a worker's own monotonic clock, added up over its restarts. No wall clock counts:
 * one that jumps ahead would forget what a client may still send again, and it would be done twice.
 *
 * A mark says "at this age of the data, all entries up to this index were committed". Marks are
 * stored with the data, so a copy and a restored backup begin with those of their origin. Time in
 * which no process ran is not counted: then a request id is remembered for longer.
 */

export interface Mark {
  readonly index: number
  /** How long workers had run on this data. */
  readonly ranMs: number
}

/** @returns the marks with the new one, without those that no question within `keepMs` needs */
export function marked(marks: readonly Mark[], mark: Mark, keepMs: number): readonly Mark[] {
  const newest = marks.findLastIndex(({ ranMs }) => ranMs <= mark.ranMs - keepMs)
  return [...marks.slice(Math.max(0, newest)), mark]
}

/** @returns the last index that was committed `keepMs` ago; 0 when none is known */
export const agedIndex = (marks: readonly Mark[], now: { ranMs: number; keepMs: number }): number =>
  marks.findLast(({ ranMs }) => ranMs <= now.ranMs - now.keepMs)?.index ?? 0
