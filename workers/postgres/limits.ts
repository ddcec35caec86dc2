/**
 * What bounds a worker's database, by default.
 */

/** Some ten times what the largest entry takes (docs/decisions/bounds-from-outside.md). */
export const BACKEND_MEMORY_MIB = 256

export interface Limits {
  /** Of one entry's changes and result together. */
  readonly maxEntryBytes: number
  /** Of one write command, and of one statement. */
  readonly writeTimeoutMs: number
  /** Of one write command while other clients' writes wait. */
  readonly writePatienceMs: number
  /** Above `readTimeoutMs`, so that a read never makes a schema change fail. */
  readonly lockTimeoutMs: number
  readonly readTimeoutMs: number
  readonly maxReadBytes: number
  readonly maxReadRows: number
  /** Connections that quick reads share. */
  readonly readers: number
  /** Further ones, for reads that last. */
  readonly slowReaders: number
  /** Entries and their age above which the log lets go of the oldest. */
  readonly logEntriesMax: number
  readonly logKeepMs: number
  /** So long is a request id remembered. */
  readonly resultsKeepMs: number
}

export const LIMITS: Limits = {
  maxEntryBytes: 8 * 1024 * 1024,
  writeTimeoutMs: 5_000,
  writePatienceMs: 700,
  lockTimeoutMs: 6_000,
  readTimeoutMs: 5_000,
  maxReadBytes: 8 * 1024 * 1024,
  maxReadRows: 100_000,
  readers: 3,
  slowReaders: 4,
  logEntriesMax: 200_000,
  logKeepMs: 60 * 60 * 1000,
  resultsKeepMs: 10 * 60 * 1000
}

/** Beside the values of a row that is as large as a limit allows. */
const MESSAGE_MARGIN_BYTES = 64 * 1024

/** What a client's statement returns in a longer message is beyond its limit anyway. */
export const messageBytesMax = ({ maxEntryBytes, maxReadBytes }: Limits): number =>
  Math.max(maxEntryBytes, maxReadBytes) + MESSAGE_MARGIN_BYTES
