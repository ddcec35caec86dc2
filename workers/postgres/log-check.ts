/**
 * Looks whether the log is what its checksums say, piece by piece, with pauses between them:
 * none is missing, each has the checksum that follows from the one before it (entry.ts), and
 * is found by its request. For a verification, and for the scrub.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogFault, LogPiece } from '../store.ts'
import type { Connection } from './connection.ts'
import { lostTo } from './sql-error.ts'

const ENTRIES = 500
/** Of a piece, unless one entry alone is larger: they may be 8 MiB each. */
const BYTES = 2 * 1024 * 1024
/** Of a statement that was ended for its time, or for somebody else's sake. */
const CANCELLED = '57014'
const TRIES_MAX = 5

/**
 * The last entry of a piece: one that is there, so that the next piece knows what precedes it.
 * Sizes are told without reading the values.
 */
const LAST = `
  select max(index) from (
    select index, row_number() over w as n,
      sum(octet_length(changes) + octet_length(result) + 200) over w as upto
    from (
      select * from convoy.log where index > $1 and index <= $2 order by index limit ${ENTRIES}) l
    window w as (order by index)) l
  where n = 1 or upto <= ${BYTES}`
const FAULTS = 'select name, found from convoy.log_faults($1, $2, $3)'

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
  let tries = 0
  for (let at = after; at < upto; ) {
    const beganMs = performance.now()
    const [last] = await connection.rows(LAST, [String(at), String(upto)])
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
    tries += 1
    if (error === undefined) {
      yield { upto: to, entries: to - at, faults }
      at = to
      tries = 0
    } else if (error.sqlstate !== CANCELLED || tries >= TRIES_MAX) throw lostTo(error)
    await sleep((performance.now() - beganMs) * (1 / share - 1))
  }
}
