/**
 * Request ids of the writes that one call makes: `<service>:<operation>:<key>:<step>`,
 * where the key is the caller's Idempotency-Key. Without one, the call has a random
 * key of its own, which still makes its own retries harmless.
 */
import { randomUUID } from 'node:crypto'
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
