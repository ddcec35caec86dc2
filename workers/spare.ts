/**
 * A spare is a worker process that has loaded its code and has no folder yet. Loading is half
 * of a worker's start, and writes wait for that start while there is no copy to spare.
 * Invariants:
 * - A spare does nothing and holds nothing but its memory. It blocks in a read of its standard
 *   input, and ends when that ends: with whoever keeps it, however that ends.
 * - From its first line on, a spare that got a folder is a worker like any other.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

export const SPARE = '--spare'
const FOLDER_BYTES_MAX = 8_192

/** What the keeper writes to a spare's standard input, once. */
export const placeOf = (folder: string): string => `${JSON.stringify({ folder })}\n`

export const isSpare = (): boolean => process.argv.includes(SPARE)

export interface Beginning {
  /** Undefined: as the environment has it. */
  readonly folder: string | undefined
  /** When this worker began, of the clock of `performance.now()`. */
  readonly beganMs: number
}

/** Returns at once in a process that is no spare. */
export function waitForPlace(): Beginning {
  if (!isSpare()) return { folder: undefined, beganMs: 0 }
  const folder = readFolder()
  if (folder === undefined) process.exit(0)
  // The kernel gives the lowest free number: each of them takes the place of what was closed.
  reopen(0, '/dev/null', 'r')
  reopen(1, join(folder, 'worker.log'), 'a')
  reopen(2, join(folder, 'worker.log'), 'a')
  return { folder, beganMs: performance.now() }
}

/** Blocks. Undefined when the input ends first. */
function readFolder(): string | undefined {
  const buffer = Buffer.alloc(FOLDER_BYTES_MAX)
  let length = 0
  while (!buffer.subarray(0, length).includes('\n')) {
    const read = readSync(0, buffer, length, FOLDER_BYTES_MAX - length, null)
    if (read === 0) return undefined
    length += read
  }
  return (JSON.parse(buffer.toString('utf8', 0, length)) as { folder: string }).folder
}

function reopen(descriptor: number, path: string, flags: 'r' | 'a'): void {
  closeSync(descriptor)
  const opened = openSync(path, flags, 0o600)
  if (opened !== descriptor) throw new Error(`${path} became ${opened}, not ${descriptor}`)
}
