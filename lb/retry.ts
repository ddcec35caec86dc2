/**
 * Whether a request that failed is sent once more. Pure.
 * Invariants:
 * - What may have been done is repeated only where that is harmless: GET and HEAD, and
 *   whatever carries an Idempotency-Key. PUT and DELETE are not harmless here: the
 *   second PUT of a user answers "username taken".
 * - A request that reached instances three times, and got no answer, is not sent to a
 *   fourth: it may be what kills them.
 */
import { type BackoffPolicy, backoffMs } from '../wire/backoff.ts'

export type Failure =
  /** Never sent: no connection. */
  | 'unreached'
  /** The instance said that it did nothing, for it has just started. */
  | 'notReady'
  /** The connection ended before the answer did. */
  | 'lost'
  /** No answer in time. */
  | 'timeout'
  /** The client left; this says nothing about the instance. */
  | 'abandoned'

export interface Situation {
  readonly failure: Failure
  readonly method: string
  readonly hasKey: boolean
  /** Failures so far, this one included; and how many of them may have been done. */
  readonly failures: number
  readonly reached: number
  readonly leftMs: number
  /** Another instance admits requests. */
  readonly hasOther: boolean
}

export type Verdict =
  | { readonly kind: 'again'; readonly delayMs: number }
  | { readonly kind: 'giveUp' }

const REACHED_MAX = 3
/** An instance that is started again is there within a second or so. */
const SAME_INSTANCE: BackoffPolicy = { firstMs: 50, maxMs: 400 }

export const reachedIt = (failure: Failure): boolean => failure === 'lost' || failure === 'timeout'

export function afterAttempt(situation: Situation, random = Math.random): Verdict {
  const { failure, method, hasKey, failures, reached, leftMs, hasOther } = situation
  const harmless = hasKey || method === 'GET' || method === 'HEAD'
  if (failure === 'abandoned') return { kind: 'giveUp' }
  if (reachedIt(failure) && !harmless) return { kind: 'giveUp' }
  if (reached >= REACHED_MAX) return { kind: 'giveUp' }
  const delayMs = hasOther ? 0 : backoffMs(SAME_INSTANCE, failures - 1, random)
  return delayMs < leftMs ? { kind: 'again', delayMs } : { kind: 'giveUp' }
}
