/**
 * The rides and their SQL. Each write is one statement that decides by itself and
 * tells its verdict in a row, so that the verdict is stored with the write.
 * Invariants:
 * - Nobody who was deleted after the check gets into a ride: tombstones are asked in
 *   the statement that inserts.
 * - Every ride and membership keeps the index of its check, so that a deletion that
 *   arrives late does not touch what a new user of the same name has made since.
 */
import { type Context, type Database, type Row, readPages } from 'convoy/client'
import { type Settling, settle } from '../platform/service/idempotency.ts'
import { usernameDigest } from '../platform/service/usernames.ts'
import * as sql from './sql.ts'

export interface NewRide {
  readonly createdBy: string
  readonly timestamp: string
  /** The instant that `timestamp` names, seconds since 1970 UTC. */
  readonly startsAtS: number
  readonly source: number
  readonly destination: number
}

export interface Ride {
  readonly rideId: number
  readonly createdBy: string
  readonly timestamp: string
  readonly source: number
  readonly destination: number
  /** Those who joined, in that order. */
  readonly users: string[]
}

export interface ListedRide {
  readonly rideId: number
  readonly username: string
  readonly timestamp: string
}

export type JoinVerdict = 'joined' | 'joined already' | 'own ride' | 'ride unknown' | 'user unknown'

/** Finds the log index at which a user existed; undefined when there is none. */
export type Check = (username: string, context: Context) => Promise<number | undefined>

export class Rides {
  readonly #db: Database
  readonly #check: Check

  constructor(options: { readonly db: Database; readonly check: Check }) {
    this.#db = options.db
    this.#check = options.check
  }

  /** @returns the new ride's id; undefined when the creator is no user */
  async create(ride: NewRide, settling: Settling): Promise<number | undefined> {
    const { createdBy, timestamp, startsAtS, source, destination } = ride
    const row = await this.#settle(createdBy, settling, index => ({
      sql: sql.CREATE,
      params: [
        ...[usernameDigest(createdBy), createdBy, timestamp, startsAtS, source, destination],
        index
      ]
    }))
    const rideId = row?.['ride_id'] ?? undefined
    return rideId === undefined ? undefined : Number(rideId)
  }

  async join(
    { rideId, username }: { readonly rideId: number; readonly username: string },
    settling: Settling
  ): Promise<JoinVerdict> {
    const row = await this.#settle(username, settling, index => ({
      sql: sql.JOIN,
      params: [rideId, usernameDigest(username), username, index]
    }))
    return row === undefined ? 'user unknown' : (row['verdict'] as JoinVerdict)
  }

  /** @returns false when there is no such ride */
  async remove(rideId: number, write: Context & { readonly requestId: string }): Promise<boolean> {
    const { results } = await this.#db.write([{ sql: sql.REMOVE, params: [rideId] }], write)
    return results[0]?.rowCount === 1
  }

  async find(rideId: number, context: Context): Promise<Ride | undefined> {
    // Whoever was told of a new ride by another instance must not find it missing: what
    // a replica does not know is asked again of the master. What it knows is good.
    const rows =
      (await this.#members(rideId, 'session', context)) ??
      (await this.#members(rideId, 'strong', context))
    const [ride] = rows ?? []
    if (rows === undefined || ride === undefined) return undefined
    return {
      rideId,
      createdBy: ride.created_by,
      timestamp: ride.timestamp,
      source: ride.source,
      destination: ride.destination,
      users: rows.flatMap(row => row.member ?? [])
    }
  }

  /** Rides on this way that start after `nowS`, soonest first. */
  async upcoming(
    way: { readonly source: number; readonly destination: number; readonly nowS: number },
    context: Context
  ): Promise<ListedRide[]> {
    const { source, destination, nowS } = way
    const first = { starts_at: String(nowS), ride_id: String(Number.MAX_SAFE_INTEGER) }
    const rows = await readPages<sql.UpcomingRow>(
      this.#db,
      (after = first as sql.UpcomingRow, limit) => ({
        sql: sql.UPCOMING,
        params: [source, destination, after.starts_at, after.ride_id, limit]
      }),
      context
    )
    return rows.map(({ ride_id, created_by, timestamp }) => ({
      rideId: Number(ride_id),
      username: created_by,
      timestamp
    }))
  }

  async count(context: Context): Promise<number> {
    const { rows } = await this.#db.read<{ count: string }>({ sql: sql.COUNT }, context)
    return Number(rows[0]?.count)
  }

  /** Tombstones stay: they say something about users, not about rides. */
  async clear(write: Context & { readonly requestId: string }): Promise<void> {
    await this.#db.write([{ sql: sql.CLEAR }], write)
  }

  /** The ride once for each member, or once without one; undefined when there is no such ride. */
  async #members(rideId: number, consistency: 'session' | 'strong', context: Context) {
    const rows = await readPages<sql.MemberRow>(
      this.#db,
      (after, limit) => ({
        sql: sql.FIND,
        params: [rideId, after?.position ?? 0, limit],
        consistency
      }),
      context
    )
    return rows.length === 0 ? undefined : rows
  }

  /** Checks the user, then writes; undefined when users-api knows no such user. */
  async #settle(
    username: string,
    settling: Settling,
    statement: (index: number) => { sql: string; params: (string | number)[] }
  ): Promise<Row | undefined> {
    return settle(this.#db, settling, async () => {
      const index = await this.#check(username, settling)
      return index === undefined ? undefined : statement(index)
    })
  }
}
