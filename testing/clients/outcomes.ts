/**
 * What a client may conclude from an answer, or from none. Pure. docs/errors.md says
 * which answers are final; whatever it does not promise is unknown.
 */
import type { Outcome } from '../history/history.ts'

/** One sending of a request. Status 0: no answer at all. */
export interface Attempt {
  readonly status: number
  /** Of the error's body, or of the failed call. */
  readonly code: string
  /** Parsed JSON of a success. */
  readonly body: unknown
}

/** Nobody listened: the request was not taken by anybody. */
const NOT_TAKEN = ['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']
/** Final for the request id: whatever other attempts came to, it is never applied. */
export const REFUSED = 'CONVOY_REQUEST_HARMFUL'
/** `REFUSED` too, where masters are killed: a write that is executed alone when the second one dies. */
const EXPECTED = new Set([
  ...['CONVOY_UNKNOWN_OUTCOME', 'CONVOY_TIMEOUT', 'CONVOY_OVERLOADED'],
  REFUSED
])

/** Of one attempt, taken alone. */
export function outcomeOf({ status, code }: Attempt): Outcome {
  if (status >= 200 && status < 300) return 'ok'
  if (status === 409) return 'rejected'
  if (status === 503 && code === 'CONVOY_OVERLOADED') return 'failed' // "Nothing was done."
  if (status >= 400 && status < 500) return 'failed'
  if (status === 0 && NOT_TAKEN.includes(code)) return 'failed'
  return 'unknown'
}

/**
 * Of all attempts with one request id: what the database has decided is final, but that
 * one attempt came to nothing says nothing of another whose end is not known.
 */
export function outcomeOfAll(attempts: readonly Attempt[]): Outcome {
  const outcomes = attempts.map(outcomeOf)
  const decided = outcomes.find(outcome => outcome === 'ok' || outcome === 'rejected')
  if (decided !== undefined) return decided
  if (attempts.some(({ code }) => code === REFUSED)) return 'failed'
  return outcomes.every(outcome => outcome === 'failed') ? 'failed' : 'unknown'
}

/** Not what a correct client may be told, whatever dies meanwhile. */
export const isUnexpected = ({ status, code }: Attempt): boolean =>
  status >= 400 && status !== 409 && !EXPECTED.has(code)
