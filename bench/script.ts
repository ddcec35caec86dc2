/**
 * What the scripts of the bench have in common: lines with the time since the start, and
 * an end that tells what went wrong, unless the user asked for it.
 */
import { failed } from '../local/script.ts'

/** @returns a way to say lines, each with the seconds since this call */
export function timedSay(): (line: string) => void {
  const startedAtMs = performance.now()
  return line => {
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
    console.log(`${seconds.padStart(6)} s  ${line}`)
  }
}

/** Runs the script and ends the process: with 0, or with 1 when it was not fine, failed or was stopped. */
export async function endAfter(run: () => Promise<boolean>, stopped: AbortSignal): Promise<never> {
  try {
    process.exit((await run()) ? 0 : 1)
  } catch (err) {
    if (!stopped.aborted) failed(err)
    process.exit(1)
  }
}
