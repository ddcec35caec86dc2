/**
 * Clients that write all the time, each row with a value of its own, and remember
 * what they were told: a test breaks something meanwhile and then compares.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Cluster, Place } from '../../testing/cluster/cluster.ts'
import { type Orchestrator, tryWrite, write } from '../../testing/cluster/database.ts'
import { levelPlaces, rowsIn } from '../../testing/cluster/databases.ts'
import { until } from '../../testing/wait.ts'

/** What an ordinary client waits for. */
export const CLIENT_TIMEOUT_MS = 10_000
const RETRY_MS = 100
const PAUSE_MS = 5
const GOING_MS = 20_000

export interface WriterOptions {
  readonly clients: number
  /** Of all clients together; as fast as answers come when left out. */
  readonly perS?: number
  /** Whether a client sends a write again, with the same request id, until it is answered. */
  readonly retry?: boolean
}

export interface Report {
  /** Values whose write was answered 200. */
  readonly acknowledged: readonly string[]
  /** What else was answered or went wrong. */
  readonly errors: readonly string[]
  readonly slowestMs: number
  /** Between one acknowledgement and the next, of any client. */
  readonly longestGapMs: number
  readonly perS: number
}

export class Writers {
  readonly #cluster: Orchestrator
  readonly #options: WriterOptions
  readonly #acknowledged: string[] = []
  readonly #errors: string[] = []
  readonly #clients: Promise<void>[]
  readonly #startedAtMs = performance.now()
  #slowestMs = 0
  #longestGapMs = 0
  #lastAtMs = performance.now()
  #stopped = false

  private constructor(cluster: Orchestrator, options: WriterOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#clients = Array.from({ length: options.clients }, (_, client) => this.#run(client))
  }

  /** Returns when writes are going on. They end with `t` at the latest. */
  static async start(t: Test, cluster: Orchestrator, options: WriterOptions): Promise<Writers> {
    await write(cluster, {
      sql: `create table if not exists written (
        id bigint generated always as identity primary key, value text not null)`
    })
    const writers = new Writers(cluster, options)
    t.teardown(() => writers.stop())
    await writers.more(options.clients)
    return writers
  }

  /** Resolves when `count` further writes are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.#acknowledged.length + count
    await until(`${count} acknowledged writes`, { withinMs: GOING_MS }, () =>
      this.#acknowledged.length >= wanted ? true : undefined
    )
  }

  async stop(): Promise<Report> {
    this.#stopped = true
    await Promise.all(this.#clients)
    return {
      acknowledged: this.#acknowledged,
      errors: this.#errors,
      slowestMs: this.#slowestMs,
      longestGapMs: this.#longestGapMs,
      perS: (1_000 * this.#acknowledged.length) / (performance.now() - this.#startedAtMs)
    }
  }

  async #run(client: number): Promise<void> {
    const { clients, perS } = this.#options
    const everyMs = perS === undefined ? 0 : (1_000 * clients) / perS
    let nextAtMs = performance.now() + (everyMs * client) / clients
    while (!this.#stopped) {
      await this.#writeOne()
      nextAtMs += everyMs
      await sleep(perS === undefined ? PAUSE_MS : Math.max(0, nextAtMs - performance.now()))
    }
  }

  async #writeOne(): Promise<void> {
    const value = randomUUID()
    const statement = { sql: 'insert into written (value) values ($1)', params: [value] }
    const startedAtMs = performance.now()
    const waitedMs = () => performance.now() - startedAtMs
    for (;;) {
      const { status, text } = await this.#attempt(statement, value)
      if (status === 200) return this.#acknowledge(value, waitedMs())
      const again = this.#options.retry === true && (status === 0 || status >= 500)
      if (!again || waitedMs() > CLIENT_TIMEOUT_MS) {
        this.#errors.push(`${text} after ${Math.round(waitedMs())} ms`)
        return
      }
      await sleep(RETRY_MS)
    }
  }

  /** Status 0: no answer at all. */
  async #attempt(
    statement: { sql: string; params: string[] },
    key: string
  ): Promise<{ status: number; text: string }> {
    try {
      const { status, body } = await tryWrite(this.#cluster, [statement], key)
      return { status, text: JSON.stringify(body) }
    } catch (err) {
      return { status: 0, text: String(err) }
    }
  }

  #acknowledge(value: string, waitedMs: number): void {
    const nowMs = performance.now()
    if (this.#acknowledged.length > 0) {
      this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastAtMs)
    }
    this.#lastAtMs = nowMs
    this.#slowestMs = Math.max(this.#slowestMs, waitedMs)
    this.#acknowledged.push(value)
  }
}

/** Asserts that each acknowledged write is on every worker, and none is anywhere twice. */
export async function onceOnAllWorkers(
  t: Test,
  cluster: Cluster,
  { acknowledged, more = [] }: { acknowledged: readonly string[]; more?: readonly Place[] }
): Promise<void> {
  for (const place of await levelPlaces(cluster, more)) {
    const rows = await rowsIn(place, 'select value, count(*) as n from written group by value')
    const counts = new Map(rows.map(({ value, n }) => [value, Number(n)]))
    const lost = acknowledged.filter(value => !counts.has(value))
    const doubled = [...counts].filter(([, n]) => n > 1)
    t.strictSame({ lost, doubled }, { lost: [], doubled: [] }, 'nothing is lost or doubled')
  }
}
