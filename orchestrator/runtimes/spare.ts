/**
 * A worker process that has loaded its code and waits for a folder (workers/spare.ts).
 * Invariants:
 * - It ends with this process, however that ends: the kernel closes its standard input.
 * - One that has ended, or stands still, is not taken: a new process is faster.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Logger } from '../../platform/log.ts'
import { processState } from '../../workers/postgres/backends.ts'
import { placeOf, SPARE } from '../../workers/spare.ts'

export interface SpareOptions {
  /** Of Node, up to the program. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
}

export class Spare implements Disposable {
  readonly #child: ChildProcess

  constructor({ args, env, log }: SpareOptions) {
    this.#child = spawn(process.execPath, [...args, SPARE], {
      detached: true,
      env,
      stdio: ['pipe', 'ignore', 'ignore']
    })
    this.#child.on('error', err => log.warn({ err }, 'a spare worker process cannot be kept'))
    // It may end just as it is told its folder.
    this.#child.stdin?.on('error', () => undefined)
    this.#child.unref()
    log.debug({ spare: this.#child.pid }, 'a spare worker process is kept')
  }

  get isThere(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid !== undefined && exitCode === null && signalCode === null
  }

  /** It becomes the worker of `folder`. Undefined: it cannot, and is ended. */
  take(folder: string): ChildProcess | undefined {
    const { pid, stdin } = this.#child
    const state = pid === undefined || !this.isThere ? undefined : processState(pid)?.state
    if (stdin === null || state === undefined || ['T', 't', 'Z', 'X'].includes(state)) {
      this[Symbol.dispose]()
      return undefined
    }
    stdin.end(placeOf(folder))
    return this.#child
  }

  [Symbol.dispose](): void {
    this.#child.stdin?.destroy()
    if (this.isThere) this.#child.kill('SIGKILL')
  }
}
