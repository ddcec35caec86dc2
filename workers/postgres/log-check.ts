/**
 * Looks whether the log is what its checksums say, piece by piece, with pauses between them:
 * none is missing, each has the checksum that follows from the one before it (entry.ts), and
 * is found by its request. For a verification, and for the scrub.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import { lostTo } from './sql-error.ts'

const ENTRIES = 500
const FASTEST_MS = 100
/** Of a statement that was ended for its time, or for somebody else's sake. */
const CANCELLED = '57014'

/** The last entry of a piece: one that is there, so that the next piece knows what precedes it. */
const LAST = `
  select max(index) from (
    select index from convoy.log where index > $1 and index <= $2 order by index limit $3::int8) l`
const FAULTS = 'select name, found from convoy.log_faults($1, $2, $3)'

export interface LogFault {
  readonly name: string
  readonly found: string
}

export interface LogPiece {
  /** The last entry that was looked at. */
  readonly upto: number
  readonly entries: number
  readonly faults: readonly LogFault[]
}

export interface LogRange {
  readonly secret: string
  readonly after: number
  readonly upto: number
  /** Of the time that it works. */
  readonly share: number
}

export async function* checkLog(
  connection: Connection,
  { secret, after, upto, share }: LogRange
): AsyncGenerator<LogPiece> {
  let size = ENTRIES
  for (let at = after; at < upto; ) {
    const beganMs = performance.now()
    const [last] = await connection.rows(LAST, [String(at), String(upto), String(size)])
    // None is left, though the range goes on: the fault is that they are missing.
    const to = Number(last?.[0] ?? upto)
    const faults: LogFault[] = []
    const sink = {
      fields: () => undefined,
      row: ([name, found]: readonly (string | null)[]) => {
        faults.push({ name: name ?? '', found: found ?? '' })
      }
    }
    const values = [secret, String(at), String(to)]
    const { error } = await connection.run([{ sql: FAULTS, values, sink }])
    const tookMs = performance.now() - beganMs
    if (error === undefined) {
      yield { upto: to, entries: to - at, faults }
      at = to
    } else if (error.sqlstate !== CANCELLED || size === 1) throw lostTo(error)
    // Entries may be 8 MiB each.
    size = error !== undefined || tookMs > FASTEST_MS ? Math.max(1, Math.floor(size / 2)) : ENTRIES
    await sleep(tookMs * (1 / share - 1))
  }
}
