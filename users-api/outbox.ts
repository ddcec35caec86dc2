/**
 * Events of deleted users that rides-api has not processed yet, as far as is known.
 * Invariant: an event carries the log index of its deletion. The row cannot know it,
 * being part of the same transaction; the stored outcome of the write does, for
 * `resultsKeepMs`, so it is looked up and kept well before that has passed.
 */
import { randomUUID } from 'node:crypto'
import type { Database } from 'convoy/client'
import type { UserDeleted } from '../platform/service/events.ts'

/** Rows of one sweep. */
export const SWEEP_ROWS = 500

const PENDING = `select event_id, username, request_id, user_index, created_at from outbox
  where (created_at, event_id) > ($1::timestamptz, $2::text)
  order by created_at, event_id limit ${SWEEP_ROWS}`
const BEGINNING: Cursor = { created_at: '-infinity', event_id: '' }

const KEEP_INDEX = 'update outbox set user_index = $2 where event_id = $1 and user_index is null'

const REMOVE = 'delete from outbox where event_id = $1'

/** Where a page ended: rows may be removed meanwhile, so it does not name one that must exist. */
export interface Cursor {
  readonly created_at: string
  readonly event_id: string
}

interface Pending extends Cursor {
  readonly username: string
  readonly request_id: string
  readonly user_index: string | null
}

export class Outbox {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * A page of events, the oldest first. Runs as a write, so that the scaling does not count it
   * as read load.
   * @param after the `next` of the page before
   * @returns no `next` on the last page
   */
  async pending(after = BEGINNING): Promise<{ events: UserDeleted[]; next?: Cursor }> {
    const params = [after.created_at, after.event_id]
    const answer = await this.#write([{ sql: PENDING, params }])
    const rows = (answer.results[0]?.rows ?? []) as unknown as readonly Pending[]
    const found: [string, number][] = []
    const events: UserDeleted[] = []
    for (const row of rows) {
      const known = row.user_index === null ? undefined : Number(row.user_index)
      // Forgotten only where no instance ran for `resultsKeepMs`; then nobody signed
      // up again either, and any index from the deletion until now says the same.
      const index = known ?? (await this.#db.outcome(row.request_id))?.index ?? answer.index
      if (known === undefined) found.push([row.event_id, index])
      events.push({ eventId: row.event_id, username: row.username, index })
    }
    if (found.length > 0) await this.#write(found.map(params => ({ sql: KEEP_INDEX, params })))
    const last = rows.at(-1)
    return rows.length < SWEEP_ROWS || last === undefined ? { events } : { events, next: last }
  }

  async remove(eventIds: readonly string[]): Promise<void> {
    await this.#write(eventIds.map(eventId => ({ sql: REMOVE, params: [eventId] })))
  }

  #write(statements: Parameters<Database['write']>[0]) {
    return this.#db.write(statements, { requestId: `users-api:outbox:${randomUUID()}:relay` })
  }
}
