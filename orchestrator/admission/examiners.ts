/**
 * Examines long SQL texts in threads, so that the event loop goes on meanwhile.
 * Invariants:
 * - Bounded: so many requests wait, in all and for each client, and no longer than
 *   `WAIT_MAX_MS`; beyond, callers are told to come again.
 * - Fair: clients take turns, and each has one thread at a time, so none holds up all.
 * - A text that takes longer than `PARSE_MAX_MS` is given up, and its thread ended. That is no
 *   refusal: extent.ts lets none through that takes so long on a machine that is not overloaded.
 * Threads start when there is work, and end when there has been none for a while.
 */
import { Worker } from 'node:worker_threads'
import { OverloadedError } from '../../wire/errors.ts'
import { SqlNotAllowedError } from '../errors.ts'
import type { Examined } from './examine.ts'

const THREADS_MAX = 2
const WAITING_MAX = 64
const WAITING_OF_CLIENT_MAX = 8
const WAIT_MAX_MS = 5_000
/** The worst text that extent.ts lets through took 1.3 s. */
const PARSE_MAX_MS = 4_000
const START_MAX_MS = 5_000
const IDLE_MS = 30_000
/** Of JavaScript's heap; a tree of 400,000 nodes takes 200. */
const HEAP_MAX_MB = 512

interface Job {
  readonly client: string
  readonly sqls: readonly string[]
  readonly timer: NodeJS.Timeout
  readonly settle: (results: Examined[]) => void
  readonly fail: (error: Error) => void
}

export class Examiners implements AsyncDisposable {
  /** By client, in the order of their turns. */
  readonly #waiting = new Map<string, Job[]>()
  #count = 0
  #threads: readonly Thread[] = []
  #closed = false

  /** @returns up to the first text that is refused @throws OverloadedError, SqlNotAllowedError */
  examine(sqls: readonly string[], client: string): Promise<Examined[]> {
    const own = this.#waiting.get(client) ?? []
    if (this.#count >= WAITING_MAX || own.length >= WAITING_OF_CLIENT_MAX) {
      throw new OverloadedError('too many long statements wait to be parsed')
    }
    const { promise, resolve: settle, reject: fail } = Promise.withResolvers<Examined[]>()
    const timer = setTimeout(() => this.#giveUp(job), WAIT_MAX_MS)
    const job: Job = { client, sqls, timer, settle, fail }
    own.push(job)
    this.#waiting.set(client, own)
    this.#count += 1
    this.#assign()
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const jobs of this.#waiting.values()) {
      for (const job of jobs.slice()) this.#giveUp(job)
    }
    await Promise.all(this.#threads.map(thread => thread.end()))
  }

  #assign(): void {
    for (const [client, jobs] of this.#waiting) {
      if (this.#threads.some(thread => thread.client === client)) continue
      const thread = this.#threads.find(one => one.isFree) ?? this.#start()
      if (thread === undefined) return
      const [job] = jobs
      if (job === undefined) continue
      this.#remove(job)
      clearTimeout(job.timer)
      // Behind the others that wait.
      const rest = this.#waiting.get(client)
      if (rest !== undefined) {
        this.#waiting.delete(client)
        this.#waiting.set(client, rest)
      }
      thread.run(job)
    }
  }

  #start(): Thread | undefined {
    if (this.#closed || this.#threads.length >= THREADS_MAX) return undefined
    const thread = new Thread({
      free: () => this.#assign(),
      ended: () => {
        this.#threads = this.#threads.filter(one => one !== thread)
        this.#assign()
      }
    })
    this.#threads = [...this.#threads, thread]
    return thread
  }

  #giveUp(job: Job): void {
    clearTimeout(job.timer)
    this.#remove(job)
    job.fail(new OverloadedError('no thread was free to parse the statement'))
  }

  #remove(job: Job): void {
    const jobs = this.#waiting.get(job.client) ?? []
    const rest = jobs.filter(one => one !== job)
    this.#count -= jobs.length - rest.length
    if (rest.length === 0) this.#waiting.delete(job.client)
    else this.#waiting.set(job.client, rest)
  }
}

class Thread {
  readonly #worker: Worker
  readonly #on: { readonly free: () => void; readonly ended: () => void }
  #job: Job | undefined
  #ready = false
  #ending = false
  #timer: NodeJS.Timeout | undefined

  constructor(on: { readonly free: () => void; readonly ended: () => void }) {
    this.#on = on
    this.#worker = new Worker(new URL('./examiner-thread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB }
    })
    this.#worker.on('message', (message: 'ready' | Examined[]) => this.#hear(message))
    this.#worker.on('error', error => this.#fail(error))
    this.#worker.on('exit', () => {
      this.#fail(new Error('the thread has ended'))
      this.#on.ended()
    })
  }

  /** Of the job at hand. */
  get client(): string | undefined {
    return this.#job?.client
  }

  get isFree(): boolean {
    return this.#job === undefined && !this.#ending
  }

  run(job: Job): void {
    this.#worker.ref()
    this.#job = job
    if (this.#ready) this.#send(job)
    else this.#giveUpAfter(START_MAX_MS)
  }

  async end(): Promise<void> {
    this.#ending = true
    clearTimeout(this.#timer)
    await this.#worker.terminate()
  }

  #hear(message: 'ready' | Examined[]): void {
    if (message === 'ready') {
      this.#ready = true
      if (this.#job !== undefined) this.#send(this.#job)
      return
    }
    const job = this.#job
    this.#job = undefined
    this.#worker.unref()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.end(), IDLE_MS).unref()
    this.#on.free()
    job?.settle(message)
  }

  #send(job: Job): void {
    this.#giveUpAfter(PARSE_MAX_MS)
    this.#worker.postMessage(job.sqls)
  }

  #giveUpAfter(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#job?.fail(new OverloadedError(`parsing the statement took longer than ${ms} ms`))
      this.#job = undefined
      void this.end()
    }, ms)
  }

  /** A thread that has begun was ended by its text. */
  #fail(cause: Error): void {
    clearTimeout(this.#timer)
    this.#ending = true
    this.#job?.fail(
      this.#ready
        ? new SqlNotAllowedError('parsing takes too much memory', { cause })
        : new OverloadedError('no thread could be started to parse the statement', { cause })
    )
    this.#job = undefined
  }
}
