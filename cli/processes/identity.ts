/**
 * Names one process for certain. A pid alone is used again by another process; with
 * its start time it is not, so that nothing of somebody else's is ever killed.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Identity {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: clock ticks from boot to the process's start. */
  readonly startTime: string
}

const POLL_MS = 20

/** Undefined when there is no such process, or nothing of it but an exit code that awaits its parent. */
export function identityOf(pid: number): Identity | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the command's name, which may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields[0], fields[19]]
  return state === 'Z' || startTime === undefined ? undefined : { pid, startTime }
}

export const isAlive = (identity: Identity): boolean =>
  identityOf(identity.pid)?.startTime === identity.startTime

/** @returns whether there was somebody to signal */
export function signal(identity: Identity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, name)
  } catch {
    return false // It ended in between.
  }
}

/** Ends a process: politely, then, `graceMs` later, at once. Resolves when it is gone. */
export async function endProcess(
  identity: Identity,
  options: { graceMs: number; politely?: NodeJS.Signals }
): Promise<void> {
  if (!signal(identity, options.politely ?? 'SIGTERM')) return
  const killAt = performance.now() + options.graceMs
  while (isAlive(identity)) {
    if (performance.now() >= killAt) signal(identity, 'SIGKILL')
    await sleep(POLL_MS)
  }
}
