/**
 * Asks all workers for one part of a verification, and waits until each has reported, or has
 * said nothing for too long. What fails is asked again, at another index.
 *
 * Invariant: what is returned was computed by all `workers` at one and the same index.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceError } from '../../wire/errors.ts'
import type { Mark, Part, Report } from '../../wire/verify.ts'
import { sealWrite } from '../admission/admission.ts'
import type { ClusterView } from '../cluster-view.ts'
import { TimeoutError } from '../errors.ts'
import type { Dispatch } from '../lanes/dispatch.ts'

/** A worker that computes says so every second. */
const SILENT_MS = 5_000
const LOOK_MS = 5
const TRIES_MAX = 5
const MISSES_MAX = 3
const AGAIN_MS = 200
const LATE_STATUS = 500

export type Done = Extract<Report, { kind: 'done' }>

export interface AskingOptions {
  readonly dispatch: Pick<Dispatch, 'write' | 'onReport' | 'replyTo'>
  readonly view: Pick<ClusterView, 'now'>
  readonly deadlineMs: number
  readonly client: string
}

export type Asked =
  | { readonly kind: 'done'; readonly index: number; readonly reports: ReadonlyMap<string, Done> }
  /** Schema changes came in between each time. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'slow' }

export class Asking {
  readonly #options: AskingOptions
  readonly #asked: Set<string>
  readonly #misses = new Map<string, number>()
  /** Why a worker is asked no more. */
  readonly leftOut = new Map<string, string>()

  constructor(options: AskingOptions, workers: readonly string[]) {
    this.#options = options
    this.#asked = new Set(workers)
  }

  get workers(): readonly string[] {
    return [...this.#asked]
  }

  /** @throws ServiceError when the entry cannot be written */
  async part(part: Part): Promise<Asked> {
    for (let tries = 1; ; ) {
      this.#dropGone()
      const { index, heard } = await this.#once(part)
      const problems = this.workers.map(id => [id, heard.get(id)] as const)
      const isKind = (kind: 'changed' | 'slow') =>
        problems.some(([, one]) => one?.kind === 'problem' && one.problem === kind)
      if (isKind('slow')) return { kind: 'slow' }
      const missing = problems.filter(([, one]) => one?.kind !== 'done')
      if (missing.length === 0) {
        // Others may have reported too: one that was left out before, or that joined since.
        const reports = new Map(this.workers.map(id => [id, heard.get(id) as Done]))
        return { kind: 'done', index, reports }
      }
      if (isKind('changed')) {
        if (tries >= TRIES_MAX) return { kind: 'changed' }
        tries += 1
      } else for (const [id, one] of missing) this.#miss(id, one)
      await sleep(AGAIN_MS * tries)
    }
  }

  #miss(id: string, report: Report | undefined): void {
    const misses = (this.#misses.get(id) ?? 0) + 1
    this.#misses.set(id, misses)
    if (misses < MISSES_MAX) return
    const why = report?.kind === 'problem' ? report.message : 'it did not answer in time'
    this.#leaveOut(id, why)
  }

  #leaveOut(id: string, why: string): void {
    this.#asked.delete(id)
    this.leftOut.set(id, why)
  }

  #dropGone(): void {
    const { state } = this.#options.view.now
    if (state === null) return
    for (const id of this.workers) {
      if (!state.inSync.includes(id)) this.#leaveOut(id, 'it left the in-sync set meanwhile')
    }
  }

  async #once(part: Part): Promise<{ index: number; heard: Map<string, Report> }> {
    const { dispatch } = this.#options
    const id = randomUUID()
    const heard = new Map<string, Report>()
    const lastMs = new Map<string, number>()
    using _listening = dispatch.onReport(report => {
      if (report.id !== id) return
      lastMs.set(report.workerId, performance.now())
      if (report.kind !== 'working') heard.set(report.workerId, report)
    })
    const mark: Mark = { id, replyTo: dispatch.replyTo, askedAtMs: Date.now(), part }
    const index = await this.#write(mark)
    const writtenMs = performance.now()
    const isAwaited = (one: string) => {
      const { state, workers } = this.#options.view.now
      if (heard.has(one) || state?.inSync.includes(one) === false) return false
      const silentMs = performance.now() - (lastMs.get(one) ?? writtenMs)
      return silentMs < (workers.has(one) ? SILENT_MS : SILENT_MS / 2)
    }
    while (this.workers.some(isAwaited)) await sleep(LOOK_MS)
    return { index, heard }
  }

  async #write(mark: Mark): Promise<number> {
    const { dispatch, deadlineMs, client } = this.#options
    const statement = { sql: JSON.stringify(mark), params: [], kind: 'verify' }
    // The same id: a part that was written already is not written again.
    const asked = { ...sealWrite([statement]), requestId: `verify ${mark.id}`, client }
    for (let tries = 1; ; tries++) {
      const answer = await dispatch
        .write({ ...asked, mayRepeat: tries > 1 }, deadlineMs)
        .catch((err: unknown) => {
          const mayPass = err instanceof ServiceError && err.statusCode >= LATE_STATUS
          if (!mayPass || tries >= TRIES_MAX) throw err
          return null
        })
      if (answer?.status === 200) {
        return (JSON.parse(answer.body.toString()) as { index: number }).index
      }
      if (answer !== null && (answer.status < LATE_STATUS || tries >= TRIES_MAX)) {
        throw new TimeoutError(`a part of the verification was not written: ${answer.body}`)
      }
      await sleep(AGAIN_MS * tries)
    }
  }
}
