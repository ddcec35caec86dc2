/**
 * The processes of a running PostgreSQL: their state as the kernel shows it, signals to
 * them, and what the postmaster says about how they ended. A process that ignores requests
 * to cancel is frozen (SIGSTOP), which costs nobody else anything; killing one makes the
 * postmaster restart all of them.
 *
 * Invariant: no signal reaches a process that is not a child of this postmaster.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Account } from './account.ts'
import { exemptFromMemoryLimit } from './memory.ts'

/** As `/proc/<pid>/stat` has it; a clock tick is 10 ms on Linux. */
const TICK_MS = 10
const PAGE_BYTES = 4096
const ENDED_BY_ITSELF =
  /\(PID (\d+)\) (?:was terminated by (?:signal|exception)|exited with exit code)/
const READY = 'database system is ready to accept connections'
/** What the postmaster said about processes that ended is remembered of so many. */
const CRASHES_MAX = 100

export interface ProcessState {
  /** `R`, `S`, `D`, `T`, ... */
  readonly state: string
  readonly parent: number
  readonly cpuMs: number
  /** Tells two processes with one pid apart. */
  readonly startTime: string
  readonly residentBytes: number
}

/** Undefined when there is no such process. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before it may hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      state: fields[0] ?? '',
      parent: Number(fields[1]),
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      startTime: fields[19] ?? '',
      residentBytes: Number(fields[21]) * PAGE_BYTES
    }
  } catch {
    return undefined
  }
}

export interface Frozen {
  readonly pid: number
  readonly sinceMs: number
}

export class Backends {
  readonly #postmaster: number
  readonly #owner: { readonly account: Account | undefined; readonly cwd: string }
  readonly #frozen = new Map<number, Frozen>()
  readonly #crashes: number[] = []
  #line = ''
  #told: (() => void)[] = []

  constructor(postmaster: number, owner: { account: Account | undefined; cwd: string }) {
    this.#postmaster = postmaster
    this.#owner = owner
  }

  get frozen(): readonly Frozen[] {
    return [...this.#frozen.values()]
  }

  /** Stops a process where it is. It keeps its snapshot and its locks. */
  freeze(pid: number): boolean {
    if (!this.#signal(pid, 'SIGSTOP')) return false
    this.#frozen.set(pid, { pid, sinceMs: performance.now() })
    return true
  }

  /** Ends a process at once, and by that all connections: the postmaster restarts. */
  kill(pid: number): boolean {
    return this.#signal(pid, 'SIGKILL')
  }

  /** How many there were. Whatever else is to end waits for frozen ones. */
  killFrozen(): number {
    const pids = [...this.#frozen.keys()]
    this.#frozen.clear()
    return pids.filter(pid => this.kill(pid)).length
  }

  owns(pid: number): boolean {
    return processState(pid)?.parent === this.#postmaster
  }

  /** Lifts the bound on the memory of one process. */
  exempt(pid: number): Promise<void> {
    return exemptFromMemoryLimit(pid, this.#owner)
  }

  /** What the postmaster prints. */
  heard(text: string): void {
    const lines = (this.#line + text).split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) {
      const pid = ENDED_BY_ITSELF.exec(line)?.[1]
      if (pid !== undefined) this.#crashes.push(Number(pid))
      if (line.includes(READY)) for (const tell of this.#told.splice(0)) tell()
    }
    this.#crashes.splice(0, this.#crashes.length - CRASHES_MAX)
  }

  /** Resolves when the postmaster says that it takes connections (again), or after `withinMs`. */
  async ready(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#told.push(resolve)
    await Promise.race([promise, sleep(withinMs)])
    this.#told = this.#told.filter(tell => tell !== resolve)
  }

  /** Whether the end of `pid` was what made the postmaster restart. */
  crashed(pid: number): boolean {
    return this.#crashes.includes(pid)
  }

  #signal(pid: number, signal: NodeJS.Signals): boolean {
    if (!this.owns(pid)) return false
    try {
      return process.kill(pid, signal)
    } catch {
      return false // it has ended
    }
  }
}
