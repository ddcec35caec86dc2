/** Where the log of a worker ends, and which of two ends is further. Pure. */

export interface End {
  readonly index: number
  readonly term: number
}

/** The log of a later term begins with all that earlier terms had committed. */
export const compare = (a: End, b: End): number => a.term - b.term || a.index - b.index
