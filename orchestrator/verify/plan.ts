/**
 * Cuts the tables of a verification into parts of about the same time. Pure: how long a part
 * took decides how many rows the next one has.
 */
import type { Key, Range } from '../../wire/verify.ts'

/** Of a part, at the slowest worker: an operator's schema change waits no longer than that. */
const TARGET_MS = 100
/** Of small tables together; a part costs a log entry and a snapshot on each worker. */
const TOGETHER_BYTES = 2 * 1024 * 1024
const TOGETHER_MAX = 100
const ROWS_FIRST = 1_000
const ROWS_MAX = 200_000
const FACTOR_MAX = 4

interface Left {
  readonly table: string
  readonly after: Key | null
  readonly bytes: number
  readonly rows: number
}

export class Plan {
  readonly #left: Left[]
  readonly skipped: string[] = []

  constructor(tables: ReadonlyMap<string, number>) {
    this.#left = [...tables]
      .map(([table, bytes]) => ({ table, bytes, after: null, rows: ROWS_FIRST }))
      .sort((a, b) => (a.table < b.table ? -1 : 1))
  }

  /** Tables that are not done. */
  get left(): number {
    return this.#left.length
  }

  /** Null when all is done. */
  next(): readonly Range[] | null {
    const taken: Left[] = []
    let bytes = 0
    for (const one of this.#left) {
      bytes += one.bytes
      if (taken.length > 0 && (bytes > TOGETHER_BYTES || taken.length >= TOGETHER_MAX)) break
      taken.push(one)
      if (one.after !== null) break
    }
    return taken.length === 0
      ? null
      : taken.map(({ table, after, rows }) => ({ table, after, rows }))
  }

  /** @param ends by table: where the next range begins; null at the end of the table */
  done(
    ranges: readonly Range[],
    { ends, tookMs }: { ends: Readonly<Record<string, Key | null>>; tookMs: number }
  ): void {
    const factor = Math.min(FACTOR_MAX, Math.max(1 / FACTOR_MAX, TARGET_MS / Math.max(1, tookMs)))
    for (const range of ranges) {
      const at = this.#left.findIndex(({ table }) => table === range.table)
      const one = this.#left[at]
      if (one === undefined) continue
      const after = ends[range.table] ?? null
      const rows = Math.min(ROWS_MAX, Math.max(1, Math.round(range.rows * factor)))
      if (after === null) this.#left.splice(at, 1)
      else this.#left[at] = { ...one, after, rows, bytes: TOGETHER_BYTES }
    }
  }

  /** Too much for one statement: less of it. A single row that is too much is left out. */
  slow(ranges: readonly Range[]): void {
    for (const { table, rows } of ranges) {
      const at = this.#left.findIndex(one => one.table === table)
      const one = this.#left[at]
      if (one === undefined) continue
      if (rows === 1 && ranges.length === 1) this.skip(ranges)
      else {
        const fewer = Math.max(1, Math.floor(rows / FACTOR_MAX))
        this.#left[at] = { ...one, rows: fewer, bytes: TOGETHER_BYTES }
      }
    }
  }

  /** They could not be compared. */
  skip(ranges: readonly Range[]): void {
    for (const { table } of ranges) {
      const at = this.#left.findIndex(one => one.table === table)
      if (at >= 0) this.#left.splice(at, 1)
      this.skipped.push(table)
    }
  }
}
