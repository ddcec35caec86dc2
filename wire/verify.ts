/**
 * What an orchestrator asks of all workers in a verification, and what each reports. A part is
 * asked for by a log entry, which marks the index that it is computed at; reports come to the
 * orchestrator's reply queue (docs/decisions/verify-in-the-background.md).
 */

/** One thing that is compared. */
export interface Item {
  /** `rows` of a table, `position` of a sequence, `fault` of this worker alone, or a kind of object. */
  readonly kind: string
  readonly name: string
  /** Of `rows`: how many. */
  readonly rows?: string | null
  /** Of `rows` of a partition: the table that it is a part of in the end. */
  readonly root?: string | null
  /** What has to be equal; null for an object that is not there. Of a fault: what was found. */
  readonly sum: string | null
}

/** Texts of the columns of a primary key, in the key's order. */
export type Key = readonly string[]

export interface Range {
  readonly table: string
  /** Rows behind this key; null: from the beginning. */
  readonly after: Key | null
  /** The first so many of them. */
  readonly rows: number
}

export type Part =
  | { readonly kind: 'schema' }
  | { readonly kind: 'rows'; readonly ranges: readonly Range[] }
  | { readonly kind: 'indexes'; readonly names: readonly string[] }
  | { readonly kind: 'log' }

/** JSON text of it is the `sql` of a statement of kind `verify`. */
export interface Mark {
  readonly id: string
  readonly replyTo: string
  /** By the orchestrator's clock, in milliseconds since 1970. Old ones are passed over. */
  readonly askedAtMs: number
  readonly part: Part
}

export interface TableSize {
  readonly name: string
  readonly bytes: number
}

/**
 * - `changed`: a schema change began meanwhile, so the part is void
 * - `busy`: too much is asked of the worker at once
 * - `late`: no snapshot was to be had without holding up the writer
 * - `slow`: too much for one statement
 * - `failed`: something else, see `message`
 */
export type Problem = 'changed' | 'busy' | 'late' | 'slow' | 'failed'

export type Report = { readonly id: string; readonly workerId: string } & (
  | {
      readonly kind: 'done'
      readonly items: readonly Item[]
      /** By table: the last key of its range; null when the range reached the table's end. */
      readonly ends: Readonly<Record<string, Key | null>>
      /** Of `schema`: tables that hold rows. */
      readonly tables: readonly TableSize[]
      readonly tookMs: number
    }
  | { readonly kind: 'working' }
  | { readonly kind: 'problem'; readonly problem: Problem; readonly message: string }
)

/** Undefined for a `verify` of an older version, which marks nothing. */
export function markOf(sql: string): Mark | undefined {
  return sql === '' ? undefined : (JSON.parse(sql) as Mark)
}
