/**
 * Request ids of the writes that one call makes: `<service>:<operation>:<key>:<step>`,
 * where the key is the caller's Idempotency-Key. Without one, the call has a random
 * key of its own, which still makes its own retries harmless.
 */
import { randomUUID } from 'node:crypto'
import type { Context, Database, Row, WriteStatement } from '../../client/database.ts'
import { InvalidRequestError } from '../../wire/errors.ts'

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
 * A write whose statement holds more than the caller sent (what a check found, say), so that
 * a retry of the call makes another statement. The intent identifies the write, and the first
 * outcome under the request id is the answer to every retry, decided or still on its way.
 * @param build the one statement; undefined when there turns out to be nothing to write
 * @returns the first row that the statement gave
 * @throws RequestIdReusedError the caller's key was used with another intent
 */
export async function settle(
  db: Database,
  { steps, step, intent, ...context }: Settling,
  build: () => Promise<WriteStatement | undefined>
): Promise<Row | undefined> {
  const requestId = steps.requestId(step)
  const statement = await build()
  if (statement !== undefined) {
    const answer = await db.write([statement], { ...context, requestId, intent })
    return answer.results[0]?.rows[0]
  }
  // Looked up late, for that costs a strong read: almost every call is the first of its key.
  const earlier = steps.mayRepeat ? await db.outcome(requestId, context) : undefined
  return earlier?.results[0]?.rows[0]
}
