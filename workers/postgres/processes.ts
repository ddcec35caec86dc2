/**
 * Ends whatever PostgreSQL still runs in a data folder. Every process of a
 * PostgreSQL works in its data folder, so the folder tells whose it is; a process
 * id in a file proves nothing, for ids come round.
 */
import { readdir, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

export async function processesIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const inside = await Promise.all(
    pids.map(async pid => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
      return cwd === folder
    })
  )
  return pids.filter((_, i) => inside[i]).map(Number)
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // Gone between the look and the signal.
    }
  }
}

/**
 * Returns when no process is left in `dataDir`: asked by SIGQUIT first, and killed
 * after `graceMs`.
 * @throws Error when some outlive even that
 */
export async function endProcessesIn(dataDir: string, graceMs: number): Promise<void> {
  const folder = await realpath(dataDir)
  const started = performance.now()
  let left = await processesIn(folder)
  signalAll(left, 'SIGQUIT')
  while (left.length > 0) {
    const waitedMs = performance.now() - started
    if (waitedMs > 2 * graceMs) throw new Error(`processes ${left} in ${dataDir} cannot be ended`)
    if (waitedMs > graceMs) signalAll(left, 'SIGKILL')
    await sleep(POLL_MS)
    left = await processesIn(folder)
  }
  // Nobody is there, whatever this file says: a reused id in it would forbid the start.
  await rm(join(dataDir, 'postmaster.pid'), { force: true })
}
