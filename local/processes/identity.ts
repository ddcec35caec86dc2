/**
 * Signals to a process that is known for certain, so that nothing of somebody else's
 * is ever killed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ProcessIdentity as Identity,
  isAlive,
  startTimeOf
} from '../../platform/process-identity.ts'

export { type Identity, isAlive }

const POLL_MS = 20

/** Undefined when there is no such process, or nothing of it but an exit code that awaits its parent. */
export function identityOf(pid: number): Identity | undefined {
  const startTime = startTimeOf(pid)
  return startTime === undefined ? undefined : { pid, startTime }
}

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
