/**
 * Whether a process still runs, as Linux tells it in /proc. A pid is used again; with
 * its start time it names one process.
 */
import { readFileSync } from 'node:fs'

export interface LiveProcess {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat. */
  readonly startTime: string
}

/** Undefined when there is no such process, or it is dead and only waits to be reaped. */
export function startTimeOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name, in parentheses, may hold anything; field 3 is the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

export const isAlive = ({ pid, startTime }: LiveProcess): boolean =>
  startTimeOf(pid) === String(startTime)
