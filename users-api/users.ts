/**
 * The users and their SQL. Each write is one statement that decides by itself, and
 * the number of rows it changed is its verdict: so a verdict is stored with the
 * write, and the same request id gets the same one again.
 */
import { type Context, type Database, type ReadAnswer, type Row, readPages } from 'convoy/client'
import { usernameDigest } from '../platform/service/usernames.ts'

type Write = Context & { readonly requestId: string }

/** What a write came to, and the log index at which it did. */
export interface Verdict {
  readonly done: boolean
  readonly index: number
}

export interface Listing {
  /** The names after this one; all unless told. */
  readonly after?: string
  readonly limit?: number
}

const ADD = `insert into users (username_digest, username, password) values ($1, $2, $3)
  on conflict do nothing`

const REMOVE = `with gone as (delete from users where username_digest = $1 returning username)
  insert into outbox (event_id, username, request_id) select $2, username, $3 from gone`

const FIND = 'select username from users where username_digest = $1'

const ORDER = 'order by left(username, 200) collate "C", username collate "C" limit'

const LIST = `select username from users ${ORDER} $1`

const LIST_AFTER = `select username from users
  where left(username, 200) collate "C" >= left($1, 200)
    and username collate "C" > $1 ${ORDER} $2`

export class Users {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Not done when the name is taken. */
  async add(user: { username: string; password: string }, write: Write): Promise<Verdict> {
    const { username, password } = user
    return this.#decide(ADD, [usernameDigest(username), username, password], write)
  }

  /** Removes the user and leaves the event `eventId` in the outbox. Not done when there is none. */
  async remove(username: string, options: Write & { eventId: string }): Promise<Verdict> {
    const { eventId, ...write } = options
    return this.#decide(REMOVE, [usernameDigest(username), eventId, write.requestId], write)
  }

  /** Strong: rides-api builds on the index of this answer. */
  async find(username: string, context: Context): Promise<ReadAnswer<{ username: string }>> {
    const params = [usernameDigest(username)]
    return this.#db.read({ sql: FIND, params, consistency: 'strong' }, context)
  }

  /** Names in the order of their characters' code points. */
  async list({ after, limit }: Listing, context: Context): Promise<string[]> {
    const rows = await readPages<Row & { username: string }>(
      this.#db,
      (last, rowsMax) => page(last?.username ?? after, rowsMax),
      { ...context, ...(limit === undefined ? {} : { limit }) }
    )
    return rows.map(row => row.username)
  }

  /** Deletions under way stay in the outbox. */
  async clear(write: Write): Promise<void> {
    await this.#db.write([{ sql: 'truncate users' }], write)
  }

  async #decide(sql: string, params: readonly string[], write: Write): Promise<Verdict> {
    const { results, index } = await this.#db.write([{ sql, params }], write)
    return { done: results[0]?.rowCount === 1, index }
  }
}

function page(after: string | undefined, limit: number) {
  return after === undefined
    ? { sql: LIST, params: [limit] }
    : { sql: LIST_AFTER, params: [after, limit] }
}
