/**
 * When a request to the orchestrator is sent again. Pure: the caller owns clock and
 * socket. Every request of the client may be repeated, reads because they change
 * nothing and writes because each keeps its request id; so everything that is not an
 * answer to the request itself is tried again until the caller's deadline.
 */
import { type BackoffPolicy, backoffMs } from '../backoff.ts'

/** Short: an orchestrator is started again within a second. */
const RETRY: BackoffPolicy = { firstMs: 20, maxMs: 400 }

/** A server that says "in 30 s" is asked earlier: the caller's deadline is shorter than that. */
const RETRY_AFTER_MAX_MS = 1_000

/** What came of one attempt. */
export type Attempt =
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfterS: number | undefined }
  | { readonly kind: 'failed' }

export type Decision =
  | { readonly kind: 'final' }
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'give up' }

/**
 * @param made attempts made so far, this one included
 * @param leftMs milliseconds left to the caller's deadline
 */
export function decide(
  attempt: Attempt,
  { made, leftMs, random }: { made: number; leftMs: number; random?: () => number }
): Decision {
  if (attempt.kind === 'answer' && !isPassing(attempt.status)) return { kind: 'final' }
  const asked = attempt.kind === 'answer' ? attempt.retryAfterS : undefined
  const afterMs =
    asked === undefined
      ? backoffMs(RETRY, made - 1, random)
      : Math.min(asked * 1_000, RETRY_AFTER_MAX_MS)
  return afterMs < leftMs ? { kind: 'again', afterMs } : { kind: 'give up' }
}

/** Statuses that speak of the moment, not of the request. */
const isPassing = (status: number) => status === 502 || status === 503 || status === 504

/** Seconds of a Retry-After header; a date, which no orchestrator sends, counts as none. */
export function retryAfterS(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) : undefined
}
