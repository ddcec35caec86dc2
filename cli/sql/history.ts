/**
 * What was typed at the prompt, kept in a file that only its owner can read: statements
 * may hold secrets.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

export const LINES_MAX = 1_000

/** As readline takes it: the last line first. */
export function historyIn(file: string): string[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter(line => line !== '').reverse()
}

/** @param lines the last one first */
export function keepHistory(file: string, lines: readonly string[]): void {
  const text = lines.slice(0, LINES_MAX).reverse().join('\n')
  writeFileSync(file, `${text}\n`, { mode: 0o600 })
  chmodSync(file, 0o600) // The mode above is that of a new file only.
}
