/**
 * Which copies of this database are served for nobody, and are to be ended: of a worker
 * that is gone, or without progress. Each holds WAL senders, of which there are few, and
 * a slot that keeps the write-ahead log. Pure, but for the two statements at the end.
 * A copy is known by its connections' application name, which holds the copying worker's id.
 */
import type { Leftover, Sender } from '../store.ts'
import type { Connection } from './connection.ts'

const PREFIX = 'convoy_copy_'

/** PostgreSQL keeps 63 bytes of it. */
export const copyName = (workerId: string): string => `${PREFIX}${workerId}`

export interface Watched {
  readonly pids: readonly number[]
  readonly progress: string
  readonly movedAtMs: number
  /** Since when the copying worker has not been registered; null: it is, or it is no worker's copy. */
  readonly goneSinceMs: number | null
}

/** By application name. */
export type Copies = ReadonlyMap<string, Watched>

export interface Bounds {
  /** A worker that begins to copy is registered before; a session may end and begin again. */
  readonly goneMs: number
  /** The copier gives up sooner by itself. */
  readonly stalledMs: number
  /** Whoever takes a backup may be slower; it gives up sooner too. */
  readonly backupStalledMs: number
}

export const BOUNDS: Bounds = { goneMs: 5_000, stalledMs: 45_000, backupStalledMs: 150_000 }

/** @param registered null while ZooKeeper cannot be asked: nobody is taken for gone then */
export function watchCopies(
  before: Copies,
  now: {
    readonly senders: readonly Sender[]
    readonly registered: ReadonlySet<string> | null
    readonly nowMs: number
  }
): Copies {
  const { nowMs, registered } = now
  const groups = Map.groupBy(now.senders, ({ name }) => name)
  return new Map(
    [...groups].map(([name, senders]) => {
      const known = before.get(name)
      const progress = senders.map(({ pid, progress }) => `${pid} ${progress}`).join()
      const isGone = registered !== null && isWorkers(name) && !registered.has(workerOf(name))
      const watched = {
        pids: senders.map(({ pid }) => pid),
        progress,
        movedAtMs: known?.progress === progress ? known.movedAtMs : nowMs,
        goneSinceMs: isGone ? (known?.goneSinceMs ?? nowMs) : null
      }
      return [name, watched]
    })
  )
}

export function leftoversOf(copies: Copies, nowMs: number, bounds: Bounds = BOUNDS): Leftover[] {
  return [...copies].flatMap(([name, { pids, movedAtMs, goneSinceMs }]) => {
    const stalledMs = isWorkers(name) ? bounds.stalledMs : bounds.backupStalledMs
    const isGone = goneSinceMs !== null && nowMs - goneSinceMs >= bounds.goneMs
    if (isGone) return [{ name, pids, why: 'the worker that copies is gone' }]
    return nowMs - movedAtMs < stalledMs ? [] : [{ name, pids, why: 'no progress' }]
  })
}

const isWorkers = (name: string) => name.startsWith(PREFIX)
const workerOf = (name: string) => name.slice(PREFIX.length)

/** A sender of the log need not move while nothing is written; the copy it belongs to does. */
const SENDERS = `
  select a.pid, a.application_name, concat_ws(' ', p.phase, p.backup_streamed)
  from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_stat_progress_basebackup p using (pid)
  where a.usename = 'convoy_clone' order by a.pid`
/** Looked at again: the number may be another's by now. */
const END = `
  select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
  where pid = any ($1::int4[]) and application_name = $2 and usename = 'convoy_clone'`

export async function sendersOf(connection: Connection): Promise<Sender[]> {
  const rows = await connection.rows(SENDERS)
  return rows.map(([pid, name, progress]) => ({
    pid: Number(pid),
    name: name ?? '',
    progress: progress ?? ''
  }))
}

export async function endCopy(connection: Connection, { pids, name }: Leftover): Promise<void> {
  await connection.rows(END, [`{${pids.join()}}`, name])
}
