/**
 * Tells for how long a process has waited for one and the same answer of its disk. One
 * that works, however long, is scheduled again and again, also when it reads all the time;
 * one whose disk hangs is not scheduled at all.
 */
import { readFileSync } from 'node:fs'

export class Standstill {
  readonly #pid: number
  #switches = ''
  #sinceMs = 0

  constructor(pid: number) {
    this.#pid = pid
  }

  /** Since the first of the looks in a row that found it standing; 0 when it moves. */
  look(nowMs: number): number {
    const switches = waitingForDisk(this.#pid)
    if (switches === null || switches !== this.#switches) {
      this.#switches = switches ?? ''
      this.#sinceMs = nowMs
    }
    return switches === null ? 0 : nowMs - this.#sinceMs
  }
}

/** How often it was scheduled, of a process in an uninterruptible wait; null of any other. */
function waitingForDisk(pid: number): string | null {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return null // it has ended
  }
  if (!/^State:\s+D/m.test(status)) return null
  return (status.match(/^(non)?voluntary_ctxt_switches:\s+\d+/gm) ?? []).join()
}
