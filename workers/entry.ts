/**
 * The log's unit: the outcome of one command, the same on every worker.
 * The checksum runs over all fields of the log so far, so that equal checksums at
 * an index mean equal logs up to it.
 */
import { hash } from 'node:crypto'
import type { Mark } from '../wire/verify.ts'

export interface Entry {
  /** 1, 2, 3, ... without gaps. */
  readonly index: number
  /** Term of the master that made it. */
  readonly term: number
  /** '' for the empty entry with which a term begins. */
  readonly requestId: string
  readonly commandHash: string
  /** HTTP status of the outcome: 200, or the error the database decided. */
  readonly status: number
  /** JSON text of `Change[]`. Of a failed command at most sequences, which no rollback moves back. */
  readonly changes: string
  /** JSON text: the `results` array when status is 200, else the error body. */
  readonly result: string
  readonly checksum: string
}

/** One step of an entry, in order. Rows are PostgreSQL's own text of the row type. */
export type Change =
  | { readonly op: 'insert'; readonly table: string; readonly rows: readonly string[] }
  | {
      readonly op: 'update'
      readonly table: string
      /** Old rows' keys as row text of the key columns, only where a key changed or all of them. */
      readonly keys: readonly string[]
      readonly rows: readonly string[]
    }
  | { readonly op: 'delete'; readonly table: string; readonly keys: readonly string[] }
  | { readonly op: 'truncate'; readonly table: string }
  | { readonly op: 'sql'; readonly sql: string }
  | {
      readonly op: 'sequence'
      readonly sequence: string
      readonly last: string
      readonly called: boolean
    }
  /** Marks the index before it, at which every worker computes a part of a verification. */
  | { readonly op: 'verify'; readonly mark?: Mark }
  /** Behind a schema change: what it made of the master's data, to be compared before it is confirmed. */
  | { readonly op: 'compare'; readonly items: readonly Compared[] }

/** Rows of a table, or an object of the schema (postgres/comparison.ts). */
export interface Compared {
  readonly kind: string
  readonly name: string
  readonly rows?: string | null
  readonly sum: string | null
}

/** Where a log ends. */
export interface Position {
  readonly index: number
  readonly term: number
  readonly checksum: string
}

/** The log before its first entry. */
export const ORIGIN: Position = { index: 0, term: 0, checksum: '' }

export function checksumOf(previous: string, entry: Omit<Entry, 'checksum'>): string {
  const head = `${previous}|${entry.index}|${entry.term}|${entry.status}|${entry.commandHash}`
  // Lengths keep the fields apart whatever they hold.
  const text = `${head}|${entry.requestId.length}|${entry.changes.length}|${entry.requestId}${entry.changes}${entry.result}`
  return hash('sha256', text, 'base64url').slice(0, 22)
}

export const positionOf = (entry: Entry): Position => ({
  index: entry.index,
  term: entry.term,
  checksum: entry.checksum
})
