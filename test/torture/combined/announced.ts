/**
 * What a correct client may be told while faults last: what docs/errors.md lists, with the
 * status that it lists, and of that only what is not its own mistake. Pure.
 */

export interface Answered {
  readonly status: number
  readonly code: string
  readonly retryAfter: boolean
  /** PostgreSQL's, where there is one. */
  readonly sqlstate?: string | undefined
}

/** Outcomes of a request that was a good one. */
const OF_GOOD_REQUESTS = new Set([408, 409, 429, 502, 503, 504])
/** Where masters are killed: a write that is executed alone when the second one dies. */
const HARMFUL = 'CONVOY_REQUEST_HARMFUL'
/** Its time was up, which a disk or a database that stands still is enough for. */
const OUT_OF_TIME = '57014'

/** @param page docs/errors.md. @returns the status of each code */
export function announcedIn(page: string): ReadonlyMap<string, number> {
  const rows = page.matchAll(/^\| `(CONVOY_[A-Z_]+)` \| (\d{3}) \|/gm)
  return new Map([...rows].map(([, code = '', status]) => [code, Number(status)]))
}

/** @returns what is wrong with an answer, or null */
export function wrongWith(
  { status, code, retryAfter, sqlstate }: Answered,
  announced: ReadonlyMap<string, number>
): string | null {
  if (status < 400) return null
  if (announced.get(code) !== status)
    return `${status} ${code || 'without a code'} is not announced`
  if (code === 'CONVOY_SQL' && sqlstate === OUT_OF_TIME) return null
  if (!OF_GOOD_REQUESTS.has(status) && code !== HARMFUL)
    return `${status} ${code} for a good request`
  if (status === 503 && !retryAfter) return `503 ${code} without Retry-After`
  return null
}
