/**
 * How long a disk stood still: it had something to do, and completed nothing. Whatever commits
 * there waits meanwhile, so a gap without writes has to be held against it.
 */
import { readFileSync, statSync } from 'node:fs'
import { clearInterval, setInterval } from 'node:timers'

const LOOK_MS = 10

export interface DiskState {
  readonly atMs: number
  /** Reads, writes, discards and flushes since the machine's start. */
  readonly completed: number
  readonly inFlight: number
}

/** Follows the disk below a folder, where it is one that Linux tells about. */
export class DiskWatch implements Disposable {
  readonly #states: DiskState[] = []
  readonly #timer: NodeJS.Timeout | undefined

  constructor(folder: string) {
    const path = statsOf(folder)
    if (read(path) === undefined) return
    this.#timer = setInterval(() => {
      const state = read(path)
      if (state !== undefined) this.#states.push(state)
    }, LOOK_MS)
  }

  /** Milliseconds at least; undefined where nothing is known. */
  get longestStandstillMs(): number | undefined {
    return this.#timer && longestStandstillMs(this.#states)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** Between the first and the last look that saw the same. @param states in order of time */
export function longestStandstillMs(states: readonly DiskState[]): number {
  let longestMs = 0
  let since: DiskState | undefined
  for (const state of states) {
    if (state.inFlight === 0) since = undefined
    else if (state.completed !== since?.completed) since = state
    longestMs = Math.max(longestMs, since === undefined ? 0 : state.atMs - since.atMs)
  }
  return longestMs
}

/** As glibc's `major` and `minor` take a device's number apart, for numbers of 32 bits. */
function statsOf(folder: string): string {
  const { dev } = statSync(folder)
  const major = (dev >> 8) & 0xfff
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00)
  return `/sys/dev/block/${major}:${minor}/stat`
}

/** Fields as in the kernel's Documentation/block/stat.rst. */
function read(path: string): DiskState | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined // An overlay, or one in memory.
  }
  const fields = text.trim().split(/\s+/).map(Number)
  const completed = [0, 4, 11, 15].reduce((sum, field) => sum + (fields[field] ?? 0), 0)
  return { atMs: performance.now(), completed, inFlight: fields[8] ?? 0 }
}
