/**
 * Names one process for certain, as Linux tells it in /proc. A pid alone is used again
 * by another process; with its start time it is not.
 */
import { readFileSync, readlinkSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: clock ticks from boot to the process's start. */
  readonly startTime: string
}

/** Undefined when there is no such process, or it is dead and only awaits its parent. */
export function startTimeOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error // what cannot be looked at just now (too many open files, say) is not dead
  }
  // The second field is the command's name, which may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')

/** Also of what a file says, where the start time may have become a number. */
export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean =>
  startTimeOf(pid) === String(startTime)

/** Where a pid means something: this boot of this machine, and this namespace of pids. */
export const pidSpace = (): string =>
  `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`

/** False also of a process that cannot be seen from here. */
export const isKnownDead = (process: ProcessIdentity & { readonly pidSpace: string }): boolean =>
  process.pidSpace === pidSpace() && !isAlive(process)
