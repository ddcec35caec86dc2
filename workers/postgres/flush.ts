/**
 * Brings what a folder is being filled with to the disk little by little. What is synced only
 * at its end goes there all at once, and every commit on that disk waits behind it.
 */
import { readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 50
const WORTH_BYTES = 4 * 1024 * 1024

/** Ends as `filling` does; what is left then is for the one who syncs it whole. */
export async function flushWhile<T>(dir: string, filling: Promise<T>): Promise<T> {
  const flushed = new Map<string, number>()
  const ended = filling.then(
    () => true,
    () => true
  )
  while (!(await Promise.race([ended, sleep(LOOK_MS)]))) {
    for (const [path, bytes] of grown(dir, flushed)) {
      await flush(path)
      flushed.set(path, bytes)
    }
  }
  return filling
}

/** Synchronous, for there may be a thousand files; whoever copies a database has nothing else to do. */
function grown(dir: string, flushed: ReadonlyMap<string, number>): [path: string, bytes: number][] {
  return namesIn(dir).flatMap((name): [string, number][] => {
    const path = join(dir, name)
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    return bytes - (flushed.get(path) ?? 0) < WORTH_BYTES ? [] : [[path, bytes]]
  })
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' })
  } catch {
    return [] // it comes, or goes, at this very moment
  }
}

async function flush(path: string): Promise<void> {
  try {
    await using file = await open(path)
    await file.datasync()
  } catch {
    // It may be gone again; what is wrong with the disk shows when the whole is synced.
  }
}
