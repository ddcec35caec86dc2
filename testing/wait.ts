/**
 * Waiting for what a system does by itself. Every wait has a deadline and says what
 * it waited for.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 50

/**
 * Asks again and again until `look` gives something other than undefined.
 * @throws Error naming `what` after `withinMs`, with the last failure of `look` as its cause
 */
export async function until<T>(
  what: string,
  { withinMs }: { readonly withinMs: number },
  look: () => Promise<T | undefined> | T | undefined
): Promise<T> {
  const deadline = performance.now() + withinMs
  let cause: unknown
  do {
    try {
      const found = await look()
      if (found !== undefined) return found
      cause = undefined
    } catch (err) {
      cause = err
    }
    await sleep(POLL_MS)
  } while (performance.now() < deadline)
  throw new Error(`after ${withinMs / 1_000} s still waiting for ${what}`, { cause })
}
