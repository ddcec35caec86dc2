/**
 * What the charts show: one sample a second, the last ten minutes of them. Throughput
 * is that of the whole cluster: writes by how far the log has grown, reads by the counts
 * that all orchestrators show. Latencies and failures are those of this orchestrator.
 */
import { setInterval } from 'node:timers'
import { type Answered, quantileMs } from './latencies.ts'
import type { QueueDepth } from './queues.ts'

export const SAMPLE_MS = 1_000
const KEPT_MAX = 600
/** Rates run over so many samples: the figures in ZooKeeper come once a second, each in its time. */
const SPAN = 3

/** What is counted, all of it since some beginning. */
export interface Counts {
  readonly atMs: number
  /** By orchestrator. */
  readonly reads: ReadonlyMap<string, number>
  /** Of the log's last entry. */
  readonly index: number
  readonly read: Answered
  readonly write: Answered
}

/** What is so at the moment. */
export interface Levels {
  readonly wanted: number
  readonly inSync: number
  /** Log entries that the slowest replica is behind. */
  readonly lag: number
  /** Null while RabbitMQ does not tell. */
  readonly queues: readonly QueueDepth[] | null
  /** Requests that wait in this orchestrator's lanes. */
  readonly waiting: number
}

export interface Sample {
  readonly atMs: number
  readonly readsPerS: number
  readonly writesPerS: number
  readonly failedPerS: number
  readonly readP50Ms: number | null
  readonly readP99Ms: number | null
  readonly writeP50Ms: number | null
  readonly writeP99Ms: number | null
  readonly replicasWanted: number
  readonly replicasInSync: number
  readonly lag: number
  readonly writeQueue: number | null
  readonly strongQueue: number | null
  readonly readQueue: number | null
  readonly waiting: number
}

export function sampleOf(before: Counts, after: Counts, levels: Levels): Sample {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
  const perS = (count: number) => Math.round((Math.max(0, count) / seconds) * 10) / 10
  let reads = 0
  // One that has ended takes its count with it, and a new one begins at 0.
  for (const [id, count] of after.reads) reads += Math.max(0, count - (before.reads.get(id) ?? 0))
  const failed = (side: Counts) => side.read.failed + side.write.failed
  const depth = (name: string) =>
    levels.queues?.find(queue => queue.name === name)?.messages ?? null
  return {
    atMs: after.atMs,
    readsPerS: perS(reads),
    // Before anything was heard of the log, its whole length is no growth.
    writesPerS: before.index === 0 ? 0 : perS(after.index - before.index),
    failedPerS: perS(failed(after) - failed(before)),
    readP50Ms: quantileMs(before.read, after.read, 0.5),
    readP99Ms: quantileMs(before.read, after.read, 0.99),
    writeP50Ms: quantileMs(before.write, after.write, 0.5),
    writeP99Ms: quantileMs(before.write, after.write, 0.99),
    replicasWanted: levels.wanted,
    replicasInSync: levels.inSync,
    lag: levels.lag,
    writeQueue: depth('writeQ'),
    strongQueue: depth('strongQ'),
    readQueue: depth('readQ'),
    waiting: levels.waiting
  }
}

export interface SamplesOptions {
  readonly count: () => Promise<Counts>
  readonly levels: () => Promise<Levels>
}

export class Samples implements Disposable {
  readonly #options: SamplesOptions
  readonly #kept: Sample[] = []
  readonly #counts: Counts[] = []
  readonly #listeners = new Set<(sample: Sample) => void>()
  readonly #timer: NodeJS.Timeout
  #busy = false

  constructor(options: SamplesOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#take(), SAMPLE_MS).unref()
  }

  /** The last of them, oldest first. */
  get kept(): readonly Sample[] {
    return this.#kept
  }

  on(listener: (sample: Sample) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#listeners.clear()
  }

  /** RabbitMQ may take its time to tell of its queues: one at a time. */
  async #take(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    const [counts, levels] = await Promise.all([this.#options.count(), this.#options.levels()])
    this.#busy = false
    const before = this.#counts[0]
    this.#counts.push(counts)
    if (this.#counts.length > SPAN) this.#counts.shift()
    if (before === undefined) return
    const sample = sampleOf(before, counts, levels)
    this.#kept.push(sample)
    if (this.#kept.length > KEPT_MAX) this.#kept.shift()
    for (const listener of [...this.#listeners]) listener(sample)
  }
}
