/** The clock that a worker's times are read from. */

/** Milliseconds of a clock that never jumps. */
export const nowMs = (): number => performance.now()
