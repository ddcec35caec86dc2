/**
 * Delays between attempts, for clients that redial and processes that are
 * started again. The policy is data and the decision a pure function: the caller
 * owns the timer, a test the dice.
 */

export interface BackoffPolicy {
  readonly firstMs: number
  readonly maxMs: number
}

export const RECONNECT: BackoffPolicy = { firstMs: 50, maxMs: 1_000 }

/** Milliseconds to wait before retry `attempt`, counted from 0. */
export function backoffMs(policy: BackoffPolicy, attempt: number, random = Math.random): number {
  const windowMs = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(attempt, 30))
  // At least half: a peer that accepts and hangs up must not be redialled in a tight loop.
  return windowMs / 2 + (windowMs / 2) * random()
}
