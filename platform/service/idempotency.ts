/**
 * Request ids of the writes that one call makes: `<service>:<operation>:<key>:<step>`,
 * where the key is the caller's Idempotency-Key. Without one, the call has a random
 * key of its own, which still makes its own retries harmless.
 */
import { randomUUID } from 'node:crypto'
import type { Context, Database, Row, WriteAnswer, WriteStatement } from '../client/database.ts'
import { RequestIdReusedError } from '../client/errors.ts'
import { InvalidRequestError } from '../errors.ts'

export interface Steps {
  /** Whether another call may come with the same key. */
  readonly mayRepeat: boolean
  requestId(step: string): string
}

const KEY = /^[\x21-\x7e]{1,200}$/

/**
 * @param header the call's Idempotency-Key
 * @throws InvalidRequestError when it is not 1 to 200 visible ASCII characters
 */
export function stepsOf(
  header: string | string[] | undefined,
  { service, operation }: { readonly service: string; readonly operation: string }
): Steps {
  if (header !== undefined && (typeof header !== 'string' || !KEY.test(header))) {
    throw new InvalidRequestError('an Idempotency-Key has 1 to 200 visible ASCII characters')
  }
  const key = header ?? randomUUID()
  return {
    mayRepeat: header !== undefined,
    requestId: step => `${service}:${operation}:${key}:${step}`
  }
}

export interface Settling extends Context {
  readonly steps: Steps
  readonly step: string
  /** What the caller wants, as a digest or the like; equal for the same call again. */
  readonly intent: string
}

/**
 * A write whose statement holds more than the caller sent (what a check found, say),
 * so that the same call again would make another statement. What is stored under the
 * request id is the answer then, as long as its `intent` column says that the call
 * wanted the same.
 * @param build the one statement, whose first row must have a column `intent` with
 *   `intent`; undefined when there turns out to be nothing to write
 * @returns that row
 * @throws RequestIdReusedError the caller's key was used for something else
 */
export async function settle(
  db: Database,
  { steps, step, intent, ...context }: Settling,
  build: () => Promise<WriteStatement | undefined>
): Promise<Row | undefined> {
  const requestId = steps.requestId(step)
  // Looked up late, for that costs a strong read: almost every call is the first of its key.
  const earlier = async () => {
    const stored = steps.mayRepeat ? await db.outcome(requestId, context) : undefined
    return stored === undefined ? undefined : firstRow(stored, intent)
  }
  const statement = await build()
  if (statement === undefined) return earlier()
  try {
    return firstRow(await db.write([statement], { ...context, requestId }), intent)
  } catch (err) {
    if (!(err instanceof RequestIdReusedError)) throw err
    const row = await earlier()
    if (row === undefined) throw err
    return row
  }
}

function firstRow(answer: WriteAnswer, intent: string): Row {
  const row = answer.results[0]?.rows[0]
  if (row?.['intent'] !== intent) {
    throw new RequestIdReusedError('this Idempotency-Key was used for another request')
  }
  return row
}
