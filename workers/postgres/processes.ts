/**
 * Ends what PostgreSQL's programs still run in a worker's folder. Every process of a
 * PostgreSQL works in its data folder, so the folder tells whose it is; a process
 * id in a file proves nothing, for ids come round.
 */
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processState } from './backends.ts'

const POLL_MS = 20
/** As the kernel names them: 15 characters at most. */
const PROGRAMS = ['postgres', 'initdb', 'pg_basebackup', 'pg_verifybackup']

export async function processesIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const inside = await Promise.all(
    pids.map(async pid => {
      // A process that has ended, and waits for its parent, has no folder.
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null)
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
  // A stopped process hears nothing else, and the postmaster would wait for it.
  signalAll(
    left.filter(pid => processState(pid)?.state === 'T'),
    'SIGKILL'
  )
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

/**
 * Kills the programs of PostgreSQL that work anywhere below a worker's folder: what a dead
 * worker left, a stopped process for instance, would go on writing into it. An operator's
 * shell that stands there is none of them.
 * @throws Error when some outlive that
 */
export async function endProgramsIn(dir: string, withinMs: number): Promise<void> {
  const folder = await realpath(dir).catch(() => null)
  if (folder === null) return
  const untilMs = performance.now() + withinMs
  for (;;) {
    const left = await programsIn(folder)
    if (left.length === 0) return
    if (performance.now() > untilMs) throw new Error(`processes ${left} in ${dir} cannot be ended`)
    signalAll(left, 'SIGKILL')
    await sleep(POLL_MS)
  }
}

async function programsIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const ours = await Promise.all(
    pids.map(async pid => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
      if (cwd !== folder && !cwd.startsWith(folder + sep)) return false
      const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
      return PROGRAMS.includes(name.trim())
    })
  )
  return pids.filter((_, i) => ours[i]).map(Number)
}
