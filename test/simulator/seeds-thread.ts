/**
 * One of the threads of `npm run simulate`: runs its share of the seeds, and says how
 * far it is.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Failed, runSeeds } from './seeds.ts'

const SAY_EVERY = 50

export interface Share {
  readonly first: number
  readonly count: number
  readonly stride: number
}

/** What happened since the last report. */
export interface Report {
  readonly schedules: number
  readonly events: number
  readonly acknowledged: number
  readonly faults: number
  readonly elections: number
  /** Workers that threw their data away. */
  readonly copies: number
  /** Of processor time, in this thread. */
  readonly cpuMs: number
  readonly failed: readonly Failed[]
}

const share = workerData as Share
let since = nothing()
let cpu = process.threadCpuUsage()

runSeeds({
  ...share,
  held(figures) {
    since.schedules += 1
    since.events += figures.events
    since.acknowledged += figures.acknowledged
    since.faults += figures.faults
    since.elections += figures.elections
    since.copies += figures.copies
    if (since.schedules >= SAY_EVERY) say()
  },
  failed(one) {
    since.schedules += 1
    since.failed.push(one)
    say()
    return true
  }
})
say()

function nothing() {
  const failed: Failed[] = []
  return { schedules: 0, events: 0, acknowledged: 0, faults: 0, elections: 0, copies: 0, failed }
}

function say(): void {
  const { user, system } = process.threadCpuUsage(cpu)
  const report: Report = { ...since, cpuMs: (user + system) / 1_000 }
  parentPort?.postMessage(report)
  cpu = process.threadCpuUsage()
  since = nothing()
}
