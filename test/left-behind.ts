/**
 * Finds processes that tests left running: those that have the tests' scratch folder
 * in their command line, their environment or as their working directory.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, type Identity, identityOf } from '../local/processes/identity.ts'
import { NONE, type Totals } from './report.ts'
import { removeScratch } from './scratch.ts'

/** A process that was told to end may take so long. */
const SETTLE_MS = 3_000
const POLL_MS = 100

/** The last of a run's tests: nothing runs on. Ends what does, and removes the folder. */
export async function clearAway(scratch: string, show: (line: string) => void): Promise<Totals> {
  const left = await endProcessesOf(scratch)
  removeScratch(scratch)
  for (const line of left) show(`  FAILED  left running: ${line}`)
  return left.length > 0 ? { ...NONE, failed: 1 } : { ...NONE, passed: 1 }
}

/** Ends them. @returns a line for each that did not end by itself */
export async function endProcessesOf(scratch: string): Promise<string[]> {
  const until = performance.now() + SETTLE_MS
  while (processesOf(scratch).length > 0 && performance.now() < until) await sleep(POLL_MS)
  const left = processesOf(scratch)
  const lines = left.map(({ pid }) => `${pid} ${commandOf(pid)}`)
  await Promise.all(left.map(identity => endProcess(identity, { graceMs: 1_000 })))
  return lines
}

function processesOf(scratch: string): Identity[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.flatMap(pid => {
    const identity = pid === process.pid || !isOf(pid, scratch) ? undefined : identityOf(pid)
    return identity ? [identity] : []
  })
}

function isOf(pid: number, scratch: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`).startsWith(scratch)) return true
    return ['cmdline', 'environ'].some(file =>
      readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(scratch)
    )
  } catch {
    return false // It ended, or belongs to somebody else.
  }
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120)
  } catch {
    return '(ended)'
  }
}
