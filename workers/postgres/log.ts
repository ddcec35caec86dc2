/**
 * The log and the memory of a worker, as its own role reads and writes them. Entries
 * and the outcomes of requests are one table: an entry is forgotten only when its
 * request id may be.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Entry, ORIGIN, type Position } from '../entry.ts'
import { agedIndex, type Mark, marked } from '../protocol/forgetting.ts'
import { type Memory, type Outcome, StoreLostError, writeBody } from '../store.ts'
import type { Connection } from './connection.ts'
import type { Limits } from './limits.ts'
import { keyOf } from './request-key.ts'
import type { Value } from './steps.ts'
import { packedTexts } from './text.ts'

/** What is known without asking: kept in step with the database by those who write. */
export interface LogEnd {
  last: Position
  memory: Memory
}

const LAST = `
  (select index, term, checksum from convoy.log order by index desc limit 1)
  union all select index, term, checksum from convoy.pruned limit 1`
const MEMORY = 'select cluster_id, term, state_version from convoy.memory'
const REMEMBER = `
  update convoy.memory set cluster_id = $1, term = $2, state_version = $3
  where (term, state_version) < ($2::int8, $3::int8) or cluster_id = ''
  returning cluster_id`
/** Writes entries as they are: a replica's part, and a term's first entry. */
export const APPEND = `
  insert into convoy.log
    (index, term, request_id, request_key, command_hash, status, changes, result, checksum)
  select * from unnest($1::int8[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::int4[],
    $7::text[], $8::text[], $9::text[])`
const PROBE = 'select cluster_id from convoy.memory'
/** It may have to wait for what is asked of the log meanwhile. */
const PROBE_MS = 5_000
const ENTRY = 'index, term, request_id, command_hash, status, changes, result, checksum'
/** Sizes without reading the values: long ones are stored apart. */
const AFTER = `
  select ${ENTRY} from (
    select *, sum(octet_length(changes) + octet_length(result) + 200) over (order by index) as upto
    from (select * from convoy.log where index > $1 order by index limit 5000) l
  ) l where upto <= $2 or index = $1::int8 + 1 order by index`
const AT = 'select index, term, checksum from convoy.log where index = $1'
const PRUNED = 'select index, term, checksum from convoy.pruned'
const OUTCOME = `
  select request_id, index, term, status, result, command_hash from convoy.log
  where request_key = $1`
const BEGUN = `select request_id from convoy.log where request_id like 'begun %'`

const BITE = 2_000
/** Of the time: the connection has other questions to answer, and clients write meanwhile. */
const PRUNING_SHARE = 1 / 6
/**
 * Oldest first, without walking over what is gone and not vacuumed yet; how far the log was let
 * go is told by the same statement. No clock is asked here: how old an entry is, marks tell.
 */
const PRUNE = `
  with gone as (
    delete from convoy.log where index in (
      select index from convoy.log where index > (select index from convoy.pruned)
        and index <= $1 order by index limit ${BITE})
    returning index, term, checksum),
  newest as (select * from gone order by index desc limit 1)
  update convoy.pruned p set index = n.index, term = n.term, checksum = n.checksum
  from newest n returning (select count(*) from gone)`
const MARKS = 'select index, ran_ms from convoy.mark order by ran_ms'
const MARK = `
  with gone as (delete from convoy.mark where ran_ms < $3::int8)
  insert into convoy.mark (index, ran_ms) values ($1, $2)`

export const positionFrom = ([index, term, checksum]: readonly (string | null)[]): Position => ({
  index: Number(index),
  term: Number(term),
  checksum: checksum ?? ''
})

/** Reads where the log ends and what is remembered. */
export async function readEnd(connection: Connection): Promise<LogEnd> {
  const [[last], [memory]] = await Promise.all([connection.rows(LAST), connection.rows(MEMORY)])
  if (last === undefined || memory === undefined) throw new StoreLostError('the log has no end')
  const [clusterId, term, stateVersion] = memory
  return {
    last: positionFrom(last),
    memory: {
      clusterId: clusterId ?? '',
      term: Number(term),
      stateVersion: Number(stateVersion)
    }
  }
}

export const bytesOf = ({ changes, result }: Entry): number => changes.length + result.length

/** With less to write, a transaction takes hardly more than its commit. */
const LONG_BYTES = 64 * 1024

export const takesLong = (entries: readonly Entry[]): boolean =>
  entries.reduce((sum, entry) => sum + bytesOf(entry), 0) > LONG_BYTES

export function appendValues(entries: readonly Entry[]): Value[] {
  const texts = (text: (entry: Entry) => string | null) => packedTexts(entries.map(text))
  const numbers = (number: (entry: Entry) => number) => `{${entries.map(number)}}`
  return [
    ...[numbers(e => e.index), numbers(e => e.term), texts(e => e.requestId)],
    texts(e => (e.requestId === '' ? null : keyOf(e.requestId))),
    ...[texts(e => e.commandHash), numbers(e => e.status), texts(e => e.changes)],
    ...[texts(e => e.result), texts(e => e.checksum)]
  ]
}

/** How long workers have run on this data, and what was committed when. */
interface Aging {
  marks: readonly Mark[]
  readonly ranMs: () => number
}

/** What is asked of the log beside the writing, on a connection of its own. */
export class Log {
  readonly #connection: Connection
  readonly #limits: Limits
  readonly #end: LogEnd
  #pruning: Promise<void> | undefined
  #aging: Aging | undefined

  constructor(connection: Connection, options: { limits: Limits; end: LogEnd }) {
    this.#connection = connection
    this.#limits = options.limits
    this.#end = options.end
  }

  /**
   * Whether the server answers this connection in time. To be asked when another one had an error
   * that a broken server and a mere statement can have in common.
   */
  async isWell(): Promise<boolean> {
    const asked = this.#connection.rows(PROBE).then(
      rows => rows.length === 1,
      () => false
    )
    return Promise.race([asked, sleep(PROBE_MS, false, { ref: false })])
  }

  async remember(memory: Memory): Promise<void> {
    const { clusterId, term, stateVersion } = memory
    const values = [clusterId, String(term), String(stateVersion)]
    const raised = await this.#connection.rows(REMEMBER, values)
    if (raised.length > 0) this.#end.memory = memory
  }

  async entriesAfter(
    index: number,
    maxBytes: number
  ): Promise<{ prev: Position; entries: Entry[] } | 'pruned'> {
    const [[at], [pruned], rows] = await Promise.all([
      this.#connection.rows(AT, [String(index)]),
      this.#connection.rows(PRUNED),
      this.#connection.rows(AFTER, [String(index), String(maxBytes)])
    ])
    const oldest = pruned === undefined ? ORIGIN : positionFrom(pruned)
    if (index < oldest.index) return 'pruned'
    if (at !== undefined) return { prev: positionFrom(at), entries: rows.map(entryFrom) }
    if (index === oldest.index) return { prev: oldest, entries: rows.map(entryFrom) }
    return { prev: this.#end.last, entries: [] }
  }

  async checksumAt(index: number): Promise<string | undefined> {
    const [[at], [pruned]] = await Promise.all([
      this.#connection.rows(AT, [String(index)]),
      this.#connection.rows(PRUNED)
    ])
    if (at !== undefined) return positionFrom(at).checksum
    const oldest = pruned === undefined ? ORIGIN : positionFrom(pruned)
    return index === oldest.index ? oldest.checksum : undefined
  }

  async outcome(requestId: string): Promise<Outcome | undefined> {
    const [row] = await this.#connection.rows(OUTCOME, [keyOf(requestId)])
    if (row === undefined) return undefined
    const [id, index, term, status, result, commandHash] = row
    const outcome = {
      requestId: id ?? '',
      index: Number(index),
      term: Number(term),
      status: Number(status),
      result: result ?? ''
    }
    return {
      index: outcome.index,
      commandHash: commandHash ?? '',
      answer: { status: outcome.status, body: writeBody(outcome) }
    }
  }

  /** Ids of the entries that say that a request is begun. */
  async begun(): Promise<string[]> {
    const rows = await this.#connection.rows(BEGUN)
    return rows.map(([requestId]) => requestId ?? '')
  }

  /** One at a time: who asks while it goes on waits for its end. */
  prune(keepAfter: number): Promise<void> {
    this.#pruning ??= this.#prune(keepAfter).finally(() => {
      this.#pruning = undefined
    })
    return this.#pruning
  }

  /** @param committed no later master lacks what is up to here. @returns up to where the log may go */
  async #mayGo(committed: number): Promise<number> {
    const { logEntriesMax, logKeepMs, resultsKeepMs } = this.#limits
    const aging = await this.#agingOf()
    const ranMs = aging.ranMs()
    aging.marks = marked(
      aging.marks,
      { index: committed, ranMs },
      Math.max(logKeepMs, resultsKeepMs)
    )
    const oldest = aging.marks[0]?.ranMs ?? ranMs
    await this.#connection.rows(MARK, [committed, ranMs, oldest].map(String))
    const aged = (keepMs: number) => agedIndex(aging.marks, { ranMs, keepMs })
    const tooMany = this.#end.last.index - logEntriesMax
    return Math.min(committed, aged(resultsKeepMs), Math.max(tooMany, aged(logKeepMs)))
  }

  /** The age of the data goes on where the last mark left it, whoever ran on it then. */
  async #agingOf(): Promise<Aging> {
    if (this.#aging === undefined) {
      const rows = await this.#connection.rows(MARKS)
      const marks = rows.map(([index, ranMs]) => ({ index: Number(index), ranMs: Number(ranMs) }))
      const before = marks.at(-1)?.ranMs ?? 0
      const sinceMs = performance.now()
      const ranMs = () => Math.floor(before + performance.now() - sinceMs)
      this.#aging = { marks, ranMs }
    }
    return this.#aging
  }

  async #prune(keepAfter: number): Promise<void> {
    const upTo = await this.#mayGo(Math.min(keepAfter, this.#end.last.index))
    for (;;) {
      const beganMs = performance.now()
      const [gone] = await this.#connection.rows(PRUNE, [String(upTo)])
      if (Number(gone?.[0] ?? 0) < BITE) return
      await sleep((performance.now() - beganMs) * (1 / PRUNING_SHARE - 1))
    }
  }
}

function entryFrom(row: readonly (string | null)[]): Entry {
  const [index, term, requestId, commandHash, status, changes, result, checksum] = row as string[]
  return {
    index: Number(index),
    term: Number(term),
    requestId: requestId ?? '',
    commandHash: commandHash ?? '',
    status: Number(status),
    changes: changes ?? '[]',
    result: result ?? '',
    checksum: checksum ?? ''
  }
}
