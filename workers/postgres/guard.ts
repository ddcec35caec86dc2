/**
 * Bounds from outside what PostgreSQL does not bound: a function that never looks for
 * requests to cancel runs on, whatever statement_timeout says. A process that still works
 * `graceMs` after its time is up is frozen if it reads (nobody else notices) and killed if it
 * writes (it holds locks on rows; PostgreSQL then restarts all its processes).
 *
 * Frozen processes keep their snapshot, their locks on tables and their memory, so they are
 * killed, all at once, when somebody is held up, or when they are too many, too large or too
 * old. See docs/decisions/bounds-from-outside.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Backends, type ProcessState, processState } from './backends.ts'
import type { Connection, Running } from './connection.ts'
import type { SqlError } from './steps.ts'

const LOOK_MS = 25
/**
 * For how long a statement may go on after its time is up. PostgreSQL's own timeout comes within
 * some ms where it comes at all. With less CPU than `workedMs` since then it had none to notice the
 * request to cancel. Others wait for a write, and for no read.
 */
const LENIENCE = {
  reads: { graceMs: 500, workedMs: 250 },
  writes: { graceMs: 100, workedMs: 70 }
} as const
/** However little CPU it had. */
const PATIENCE_MS = 3_000
const ASK_MS = 1_000
/** A connection that waits so long while processes are frozen waits for one of them. */
const HELD_UP_MS = 300
const FROZEN_MAX = 4
const FROZEN_BYTES_MAX = 512 * 1024 * 1024
/** As long may a snapshot keep dead rows from being removed. */
const FROZEN_AGE_MS = 60_000
/** PostgreSQL keeps so much of a statement's text, in bytes. */
const ACTIVITY_BYTES = 1_023

export const UNCANCELLABLE: SqlError = {
  sqlstate: '57014',
  message: 'canceling statement due to statement timeout',
  hint: 'It calls a function that cannot be interrupted.',
  position: undefined,
  constraint: undefined,
  severity: 'ERROR'
}

/** What PostgreSQL says about a process. */
export interface Activity {
  readonly query: string
  /** For how long its present statement has run. */
  readonly ageMs: number
}

export type GuardEvent =
  | { readonly kind: 'frozen' | 'killed'; readonly pid: number; readonly sql: string }
  | { readonly kind: 'thawed'; readonly why: string; readonly count: number }

export interface GuardOptions {
  readonly backends: Backends
  /** Undefined when PostgreSQL does not say. */
  readonly ask: (pid: number) => Promise<Activity | undefined>
  readonly told?: ((event: GuardEvent) => void) | undefined
}

interface Watched {
  readonly connection: Connection
  readonly kind: 'reads' | 'writes' | 'own'
  readonly limitMs: number
  readonly leastMs: number
  readonly startTime: string | undefined
  /** Of the statement that is late: when it became so, and the CPU it had had by then. */
  late?: { readonly sinceMs: number; readonly cpuMs: number } | undefined
  asking: boolean
  heldUp: number
}

export class Guard implements Disposable {
  readonly #options: GuardOptions
  readonly #watched = new Set<Watched>()
  /** Statements for which processes were killed, by pid. */
  readonly #culprits = new Map<number, string>()
  /** Processes in which clients' statements run. */
  readonly #users = new Set<number>()
  #hasKilled = false
  #isClosed = false
  readonly #timer: NodeJS.Timeout

  constructor(options: GuardOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  /**
   * For a connection's `opened`.
   * @param limits.limitMs after which PostgreSQL should end a statement
   * @param limits.leastMs for which a statement may run, whoever asks it to end
   */
  watch(
    kind: Watched['kind'],
    { limitMs = Number.POSITIVE_INFINITY, leastMs = 0 } = {}
  ): (c: Connection) => void {
    return connection => {
      if (this.#isClosed) return connection.drop()
      const { pid } = connection
      const startTime = processState(pid)?.startTime
      if (kind !== 'own') this.#users.add(pid)
      const state = { startTime, asking: false, heldUp: 0 }
      this.#watched.add({ connection, kind, limitMs, leastMs, ...state })
    }
  }

  /** The statement for which a process was killed here. */
  culprit(pid: number): string | undefined {
    return this.#culprits.get(pid)
  }

  /** Whether PostgreSQL restarted for a client's statement, or was made to by this guard. */
  explains(crashed: (pid: number) => boolean): boolean {
    return this.#hasKilled || [...this.#users].some(crashed)
  }

  /** Lets go of frozen processes when there are any: a schema change would wait for them. */
  thaw(why: string): void {
    const count = this.#options.backends.killFrozen()
    if (count === 0) return
    this.#hasKilled = true
    this.#options.told?.({ kind: 'thawed', why, count })
  }

  /** Drops all connections, and returns when no process is left that one of them had. */
  async close(): Promise<void> {
    this.#isClosed = true
    this[Symbol.dispose]()
    this.#options.backends.killFrozen()
    for (const { connection } of this.#watched) connection.drop()
    const left = () => [...this.#watched].filter(watched => this.#lives(watched))
    const untilMs = performance.now() + HELD_UP_MS
    while (left().length > 0) {
      // What it does may yet be committed, and must not be after the log was looked at.
      if (performance.now() > untilMs) {
        for (const { connection } of left()) this.#options.backends.kill(connection.pid)
      }
      await sleep(5)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #lives({ connection, startTime }: Watched): boolean {
    const state = processState(connection.pid)
    return state !== undefined && state.state !== 'Z' && state.startTime === startTime
  }

  #look(): void {
    const nowMs = performance.now()
    for (const watched of this.#watched) {
      if (!watched.connection.isOpen) {
        if (!this.#lives(watched)) {
          this.#watched.delete(watched)
          if (!watched.connection.lost.aborted) this.#users.delete(watched.connection.pid)
        }
        continue
      }
      const { running } = watched.connection
      if (running === undefined) watched.late = undefined
      else if (watched.kind !== 'own') this.#lookAt(watched, running, nowMs)
    }
    this.#lookAtFrozen(nowMs)
  }

  #lookAt(watched: Watched, running: Running, nowMs: number): void {
    const { limitMs, connection } = watched
    const { sinceMs, cancelledMs = Number.POSITIVE_INFINITY } = running
    // A read is cancelled to be run again where it may take longer: it has all of its time.
    const dueMs = Math.min(
      sinceMs + limitMs,
      watched.kind === 'reads' ? Number.POSITIVE_INFINITY : cancelledMs
    )
    if (nowMs < dueMs || watched.kind === 'own') {
      watched.late = undefined
      return
    }
    const state = processState(connection.pid)
    if (state === undefined || watched.late?.sinceMs !== dueMs) {
      watched.late = { sinceMs: dueMs, cpuMs: state?.cpuMs ?? 0 }
    } else if (
      !watched.asking &&
      isIgnoring(watched.late, { ...LENIENCE[watched.kind], state, nowMs })
    ) {
      watched.asking = true
      void this.#end(watched, dueMs === cancelledMs ? 0 : limitMs).finally(() => {
        watched.asking = false
      })
    }
  }

  /** Steps of an exchange are heard of late, so PostgreSQL is asked how old this one is. */
  async #end(watched: Watched, limitMs: number): Promise<void> {
    const { connection, kind, leastMs } = watched
    const { backends, ask, told } = this.#options
    const { pid } = connection
    const asked = ask(pid).catch(() => undefined)
    const activity = await Promise.race([asked, sleep(ASK_MS, undefined, { ref: false })])
    const sql = connection.running?.users.find(text => isQuery(text, activity?.query ?? ''))
    if (activity === undefined || sql === undefined || !connection.isOpen) return
    const graceMs = kind === 'reads' ? LENIENCE.reads.graceMs : LENIENCE.writes.graceMs
    if (activity.ageMs < Math.max(limitMs + graceMs, leastMs) || !this.#lives(watched)) return
    if (kind === 'writes') {
      this.#culprits.set(pid, activity.query)
      this.#hasKilled = true
      if (backends.kill(pid)) told?.({ kind: 'killed', pid, sql })
    } else if (backends.freeze(pid)) {
      connection.abandon(UNCANCELLABLE, sql)
      this.#watched.delete(watched)
      told?.({ kind: 'frozen', pid, sql })
    }
  }

  #lookAtFrozen(nowMs: number): void {
    const { frozen } = this.#options.backends
    if (frozen.length === 0) return
    const bytes = frozen.reduce((sum, { pid }) => sum + (processState(pid)?.residentBytes ?? 0), 0)
    const oldestMs = Math.min(...frozen.map(({ sinceMs }) => sinceMs))
    if (frozen.length > FROZEN_MAX) this.thaw('too many')
    else if (bytes > FROZEN_BYTES_MAX) this.thaw('too large')
    else if (nowMs - oldestMs > FROZEN_AGE_MS) this.thaw('too old')
    else if ([...this.#watched].some(watched => isHeldUp(watched))) this.thaw('held somebody up')
  }
}

/** Works on although its time is up, and not because its disk or its share of CPU is slow. */
function isIgnoring(
  late: { readonly sinceMs: number; readonly cpuMs: number },
  now: {
    readonly graceMs: number
    readonly workedMs: number
    readonly state: ProcessState
    readonly nowMs: number
  }
): boolean {
  const lateMs = now.nowMs - late.sinceMs
  if (lateMs < now.graceMs || now.state.state === 'D') return false
  return now.state.cpuMs - late.cpuMs >= now.workedMs || lateMs >= PATIENCE_MS
}

/** Asleep at two looks in a row, and for long: it waits for a lock, of whatever kind. */
function isHeldUp(watched: Watched): boolean {
  const { connection } = watched
  const isAsleep =
    connection.isOpen &&
    connection.silentMs > HELD_UP_MS &&
    processState(connection.pid)?.state === 'S'
  watched.heldUp = isAsleep ? watched.heldUp + 1 : 0
  return watched.heldUp > 1
}

/** @param query as PostgreSQL shows it: long ones are cut off */
export function isQuery(text: string, query: string): boolean {
  if (text === query) return true
  const bytes = Buffer.byteLength(query)
  return bytes >= ACTIVITY_BYTES - 3 && bytes <= ACTIVITY_BYTES && text.startsWith(query)
}
