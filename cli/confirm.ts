/**
 * Asks at a terminal before something that cannot be taken back.
 */
import { createInterface } from 'node:readline/promises'
import { UsageError } from './outcome.ts'

/** @throws UsageError where there is nobody to ask */
export async function isConfirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('there is no terminal to ask at', 'give --yes')
  }
  // Standard output is for results.
  using terminal = createInterface({ input: process.stdin, output: process.stderr })
  return (await terminal.question(`${question} (yes) `)).trim() === 'yes'
}
