/**
 * When a request to the orchestrator is sent again. Pure: the caller owns clock and
 * socket. Every request of the client may be repeated, reads because they change
 * nothing and writes because each keeps its request id; so everything that is not an
 * answer to the request itself is tried again until the caller's deadline.
 */
import { type BackoffPolicy, backoffMs } from '../wire/backoff.ts'

/** Short: an orchestrator is started again within a second. */
const RETRY: BackoffPolicy = { firstMs: 20, maxMs: 400 }

/** A server that says "in 30 s" is asked earlier: the caller's deadline is shorter than that. */
const RETRY_AFTER_MAX_MS = 1_000

/** What came of one attempt. */
export type Attempt =
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfterS: number | undefined }
  | { readonly kind: 'failed' }

export interface Trying {
  /** How often everybody has been tried, this time included. */
  readonly rounds: number
  /** Whether some have not failed in this round: what one says, it says of itself alone. */
  readonly others: boolean
  readonly random?: () => number
}

/** Whether it answers the request itself, and does not speak of the moment. */
export const isFinal = (status: number) => status !== 502 && status !== 503 && status !== 504

/** @returns milliseconds to wait before the next attempt */
export function waitMs(failed: Attempt, { rounds, others, random }: Trying): number {
  if (others) return 0
  const asked = failed.kind === 'answer' ? failed.retryAfterS : undefined
  if (asked !== undefined) return Math.min(asked * 1_000, RETRY_AFTER_MAX_MS)
  return backoffMs(RETRY, rounds - 1, random)
}

/** Seconds of a Retry-After header; a date, which no orchestrator sends, counts as none. */
export function retryAfterS(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) : undefined
}
