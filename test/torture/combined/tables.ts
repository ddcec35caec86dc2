/**
 * Very many tables, made in the course of the faults: a schema change is compared on all
 * workers, and each table is one more thing that a copy, a check and a start go through.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bearerOf, type Orchestrator } from '../../../testing/cluster/database.ts'
import { ask, type Judge } from './ask.ts'

/** In one schema change, which has a budget of seconds. */
const TABLES_AT_ONCE = 20
const PATIENCE_MS = 20_000
const RETRY_MS = 500

export class Tables {
  readonly #cluster: Orchestrator
  readonly #judge: Judge
  /** Of sent schema changes: acknowledged, and all. */
  #made = 0
  #next = 0

  constructor(cluster: Orchestrator, judge: Judge) {
    this.#cluster = cluster
    this.#judge = judge
  }

  /** Acknowledged. */
  get made(): number {
    return this.#made
  }

  /** So many more; what is not decided is sent again with its key. */
  async make(tables: number, ended: AbortSignal): Promise<void> {
    for (let left = tables; left > 0 && !ended.aborted; left -= TABLES_AT_ONCE) {
      const startedAtMs = performance.now()
      await this.#change(Math.min(left, TABLES_AT_ONCE), ended)
      // Writes wait behind a schema change: half of the time is theirs.
      await sleep(performance.now() - startedAtMs)
    }
  }

  async #change(tables: number, ended: AbortSignal): Promise<void> {
    const first = this.#next
    this.#next += tables
    const statements = Array.from({ length: tables }, (_, n) => ({
      sql: `create table combined_${first + n} (id int primary key, v text)`
    }))
    for (let n = 0; !ended.aborted; ) {
      const key = `combined-tables-${first}-${n}`
      const { status } = await ask({
        ...{ url: this.#cluster.url, path: '/api/v1/db/write', judge: this.#judge },
        ...{ body: { statements }, patienceMs: PATIENCE_MS },
        headers: { ...bearerOf(this.#cluster), 'idempotency-key': key }
      })
      if (status === 200) {
        this.#made += tables
        return
      }
      // A refusal is final for its key; whether it was a good one is the judge's.
      if (status >= 400 && status < 500) n += 1
      await sleep(RETRY_MS)
    }
  }
}
