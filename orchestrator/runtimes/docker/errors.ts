/**
 * What an engine answers that is no success. When things converge, 304 (it is so
 * already), 404 (it is gone already) and 409 (another did, or does, the same) are done.
 */

/** No engine can be reached that could do what is asked. */
export class EngineDownError extends Error {
  override readonly name = 'EngineDownError'
}

/** An answer of the engine's, for there is no status without one. */
export const isAnswer = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'

export const isStatus = (error: unknown, ...statuses: number[]): boolean =>
  isAnswer(error) && statuses.includes(error.statusCode)

/** Waits for `call`, and takes those answers for done. @returns whether it was this call that did it */
export async function unless(
  statuses: readonly number[],
  call: Promise<unknown>
): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (isStatus(error, ...statuses)) return false
    throw error
  }
}
