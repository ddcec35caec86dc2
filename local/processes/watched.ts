/**
 * One process that is kept alive until it is stopped. Invariants:
 * - When it ends unasked, it is started again within a second, with backoff; only one
 *   that fails by itself at each of its first starts is given up, for so it will again.
 * - It dies with the starter, however that dies (`setpriv --pdeathsig`).
 * - Its pid file names it with its start time while it runs; `leftovers.ts` reads it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BackoffPolicy, backoffMs } from '../../wire/backoff.ts'
import { UserError } from '../script.ts'
import { type Identity, identityOf, signal } from './identity.ts'
import { LogFile } from './log-file.ts'

export interface ProcessSpec {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** System user to run as, when the starter is root. */
  readonly user?: string | undefined
  /** What the kernel sends when the starter dies; KILL for what does not end on TERM. */
  readonly deathSignal: 'TERM' | 'KILL'
  /** How long it may take to end before it is killed. */
  readonly graceMs: number
  /** One probe, quickly answered: does it do its work? */
  readonly ready: () => Promise<boolean>
  /** Whether it is killed, and so started again, when `ready` says no for `SILENT_MS`. */
  readonly mustAnswer?: boolean
  /** What a user can do about an end of which it said this; null: nothing special. */
  readonly advice?: (said: string) => string | null
}

export interface Surroundings {
  readonly logsDir: string
  readonly pidsDir: string
  /** Working directory of the process. */
  readonly cwd: string
  /** Tells the user what matters. */
  readonly say: (line: string) => void
  /** Goes into a process's environment before its own settings: a test's clock, say. */
  readonly environmentOf?: ((name: string) => Readonly<Record<string, string>>) | undefined
}

const RESTART: BackoffPolicy = { firstMs: 50, maxMs: 900 }
/** After so long its next death is a first one again. */
const SETTLED_MS = 10_000
/** A race for a port, or a server that was slow to come, may cost some of them. */
const FIRST_STARTS = 4
const PROBE_MS = 50
const WATCH_MS = 2_000
/** Of time in which this process itself ran. Longer than any pause that the cluster rides out. */
const SILENT_MS = 20_000
/** Of a process that dies over and over, not every death is news. */
const worthSaying = (death: number) => death < 3 || death % 20 === 0

/** What it said last is in the message: a wrong setting, most likely. */
export class NotReadyError extends UserError {
  override readonly name = 'NotReadyError'
}

export class WatchedProcess {
  readonly spec: ProcessSpec
  readonly #around: Surroundings
  readonly #log: LogFile
  #child: ChildProcess | undefined
  #identity: Identity | undefined
  readonly #listeners: (() => void)[] = []
  #deaths = 0
  #wasReady = false
  #failedStarts = 0
  #givenUp: NotReadyError | undefined
  #restart: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #stopping = false

  constructor(spec: ProcessSpec, around: Surroundings) {
    this.spec = spec
    this.#around = around
    this.#log = new LogFile(join(around.logsDir, `${spec.name}.log`))
    this.#start()
  }

  /** Undefined in the moment between a death and the next start. */
  get pid(): number | undefined {
    return this.#identity?.pid
  }

  /**
   * @param isHeldUp while it is so, its time does not run
   * @throws NotReadyError when it is not ready in time, or was given up
   */
  async untilReady(timeoutMs: number, isHeldUp = () => false): Promise<void> {
    let until = performance.now() + timeoutMs
    while (!(await this.spec.ready())) {
      if (isHeldUp()) until = performance.now() + timeoutMs
      if (this.#givenUp) throw this.#givenUp
      if (this.#stopping) throw new Error(`${this.spec.name} was stopped before it was ready`)
      if (performance.now() > until) {
        throw this.#notReady(`was not ready after ${timeoutMs / 1_000} s`)
      }
      await sleep(PROBE_MS)
    }
    this.#wasReady = true
    if (this.spec.mustAnswer === true) this.#watchAnswers()
  }

  /** Calls after each further start, with its new pid. */
  onStart(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** As an accident would; the watcher starts it again. */
  kill(name: NodeJS.Signals): void {
    if (this.#identity) signal(this.#identity, name)
  }

  /** Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    clearTimeout(this.#watch)
    const child = this.#child
    if (child) {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), this.spec.graceMs)
      await ended
      clearTimeout(killer)
    }
    this.#log[Symbol.dispose]()
  }

  #start(): void {
    const { name, command, args, env, deathSignal } = this.spec
    const startedAt = performance.now()
    // Before the process can say anything itself.
    this.#log.note(`${name} starts`)
    // In a session of its own: Ctrl-C is for the starter, which stops things in order.
    const child = spawn(
      'setpriv',
      [...userArgs(this.spec.user), '--pdeathsig', deathSignal, command, ...args],
      {
        cwd: this.#around.cwd,
        env: { ...this.#around.environmentOf?.(name), ...env },
        stdio: ['ignore', this.#log.fd, this.#log.fd],
        detached: true
      }
    )
    this.#child = child
    child.once('exit', (code, name) => {
      if (!this.#wasReady && code !== null && code !== 0) this.#failedStarts++
      this.#ended(name ?? `exit code ${code}`, startedAt)
    })
    child.once('error', err => this.#ended(err.message, startedAt))
    if (child.pid !== undefined) this.#remember(child.pid)
    for (const listener of this.#listeners) listener()
  }

  /** A process may be there and answer nobody: without memory, say, or stopped. */
  #watchAnswers(silentMs = 0): void {
    clearTimeout(this.#watch)
    this.#watch = setTimeout(async () => {
      const answers = await this.spec.ready()
      if (this.#stopping) return
      const nowSilentMs = answers ? 0 : silentMs + WATCH_MS
      if (nowSilentMs < SILENT_MS) return this.#watchAnswers(nowSilentMs)
      this.#around.say(`${this.spec.name} has not answered for ${SILENT_MS / 1_000} s: killing it`)
      this.kill('SIGKILL')
      this.#watchAnswers()
    }, WATCH_MS)
    this.#watch.unref()
  }

  #ended(cause: string, startedAt: number): void {
    this.#forget()
    this.#log.note(`ended: ${cause}`)
    if (this.#stopping) return
    if (this.#failedStarts >= FIRST_STARTS) {
      this.#givenUp = this.#notReady(`ended ${FIRST_STARTS} times as it started (${cause})`)
      return
    }
    if (performance.now() - startedAt > SETTLED_MS) this.#deaths = 0
    this.#startAgain(cause)
  }

  #notReady(what: string): NotReadyError {
    const { path } = this.#log
    const said = `${this.spec.name} ${what}; ${path} ends with:\n${this.#log.tail()}`
    const advice = this.spec.advice?.(this.#log.said()) ?? null
    return new NotReadyError(advice === null ? said : `${said}\n\n${advice}`)
  }

  #startAgain(cause: string): void {
    const delayMs = backoffMs(RESTART, this.#deaths)
    if (worthSaying(this.#deaths)) {
      const again = `starting it again in ${Math.round(delayMs)} ms`
      this.#around.say(`${this.spec.name} ended (${cause}); ${again}; see ${this.#log.path}`)
      const advice = this.#wasReady ? this.spec.advice?.(this.#log.said()) : undefined
      if (advice) this.#around.say(advice)
    }
    this.#deaths++
    this.#restart = setTimeout(() => this.#start(), delayMs)
  }

  #remember(pid: number): void {
    this.#identity = identityOf(pid)
    mkdirSync(this.#around.pidsDir, { recursive: true })
    writeFileSync(this.#pidFile, JSON.stringify(this.#identity ?? null))
  }

  #forget(): void {
    this.#child = undefined
    this.#identity = undefined
    rmSync(this.#pidFile, { force: true })
  }

  get #pidFile(): string {
    return join(this.#around.pidsDir, `${this.spec.name}.json`)
  }
}

function userArgs(user: string | undefined): string[] {
  if (user === undefined || process.getuid?.() !== 0) return []
  return ['--reuid', user, '--regid', user, '--clear-groups']
}
