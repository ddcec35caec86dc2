/**
 * Waits during an update: for what was replaced to do its work again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from './script.ts'

export const BACK_WITHIN_MS = 60_000
const POLL_MS = 50

/** What cannot be asked just now is asked again. @throws UserError naming `what` */
export async function untilBack(what: string, is: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + BACK_WITHIN_MS
  let cause: unknown
  while (performance.now() < endMs) {
    try {
      if (await is()) return
    } catch (err) {
      cause = err
    }
    await sleep(POLL_MS)
  }
  throw new UserError(`waited ${BACK_WITHIN_MS / 1_000} s in vain for ${what}`, { cause })
}
