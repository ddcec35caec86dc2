/**
 * Clients that read all the time, from any replica, while a test breaks something.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Cluster } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'

const CLIENTS = 4
const EVERY_MS = 100

export interface ReadReport {
  readonly answered: number
  readonly errors: readonly string[]
  readonly slowestMs: number
  /** Between one answer and the next, of any client. */
  readonly longestGapMs: number
}

export class Readers {
  readonly #cluster: Cluster
  readonly #clients: Promise<void>[]
  readonly #errors: string[] = []
  #answered = 0
  #slowestMs = 0
  #longestGapMs = 0
  #lastAtMs = performance.now()
  #stopped = false

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run())
  }

  /** They end with `t` at the latest. */
  static start(t: Test, cluster: Cluster): Readers {
    const readers = new Readers(cluster)
    t.teardown(() => readers.stop())
    return readers
  }

  async stop(): Promise<ReadReport> {
    this.#stopped = true
    await Promise.all(this.#clients)
    return {
      answered: this.#answered,
      errors: this.#errors,
      slowestMs: this.#slowestMs,
      longestGapMs: this.#longestGapMs
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#readOne()
      await sleep(EVERY_MS)
    }
  }

  async #readOne(): Promise<void> {
    const startedAtMs = performance.now()
    try {
      await read(this.#cluster, 'select max(id) from written', { consistency: 'replica' })
    } catch (err) {
      const waitedMs = Math.round(performance.now() - startedAtMs)
      this.#errors.push(`${String(err)} after ${waitedMs} ms`)
      return
    }
    const nowMs = performance.now()
    if (this.#answered > 0)
      this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastAtMs)
    this.#lastAtMs = nowMs
    this.#slowestMs = Math.max(this.#slowestMs, nowMs - startedAtMs)
    this.#answered += 1
  }
}
