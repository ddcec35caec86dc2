/**
 * The statements of rides-api, and the rows they give. 64-bit integers arrive as strings.
 */

/** No row of `made`, and so no id, when a tombstone is newer than the check. */
export const CREATE = `with made as (
    insert into rides (creator_digest, created_by, "timestamp", starts_at, source, destination, user_index)
    select $1::text, $2::text, $3::text, $4::bigint, $5::integer, $6::integer, $7::bigint
    where not exists (select from tombstones where username_digest = $1::text and user_index > $7::bigint)
    returning ride_id
  )
  select (select ride_id from made) as ride_id`

export const JOIN = `with ride as (
    select creator_digest from rides where ride_id = $1::bigint
  ), gone as (
    select from tombstones where username_digest = $2::text and user_index > $4::bigint
  ), joined as (
    insert into memberships (ride_id, username_digest, username, user_index)
    select $1::bigint, $2::text, $3::text, $4::bigint from ride
    where creator_digest <> $2::text and not exists (select from gone)
    on conflict do nothing
    returning ride_id
  )
  select case
      when not exists (select from ride) then 'ride unknown'
      when exists (select from gone) then 'user unknown'
      when (select creator_digest from ride) = $2::text then 'own ride'
      when exists (select from joined) then 'joined'
      else 'joined already'
    end as verdict`

export const REMOVE = 'delete from rides where ride_id = $1'

export interface MemberRow {
  readonly created_by: string
  readonly timestamp: string
  readonly source: number
  readonly destination: number
  readonly member: string | null
  readonly position: string | null
}

/** From the second page on, a ride must have members after `$2` to be there at all. */
export const FIND = `select r.created_by, r."timestamp", r.source, r.destination,
    m.username as member, m."position"
  from rides r left join memberships m on m.ride_id = r.ride_id
  where r.ride_id = $1 and (m."position" > $2 or (m."position" is null and $2 = 0))
  order by m."position" limit $3`

export interface UpcomingRow {
  readonly ride_id: string
  readonly created_by: string
  readonly timestamp: string
  readonly starts_at: string
}

export const UPCOMING = `select ride_id, created_by, "timestamp", starts_at from rides
  where source = $1 and destination = $2 and (starts_at, ride_id) > ($3, $4)
  order by starts_at, ride_id limit $5`

export const COUNT = 'select count(*) as count from rides'

export const CLEAR = 'truncate memberships, rides restart identity'

/** The four parts of one deletion; the first one fails for an event that was processed. */
export const PROCESSED = 'insert into processed_events (event_id, processed_at) values ($1, now())'

export const BURY = `insert into tombstones as t (username_digest, username, user_index, buried_at)
  values ($1, $2, $3, now())
  on conflict (username_digest) do update
  set user_index = greatest(t.user_index, excluded.user_index), buried_at = excluded.buried_at`

export const LEAVE = 'delete from memberships where username_digest = $1 and user_index < $2'

export const REMOVE_RIDES = 'delete from rides where creator_digest = $1 and user_index < $2'

/** No check takes a day: tombstones and event ids of yesterday refuse nothing any more. */
export const FORGET_TOMBSTONES = "delete from tombstones where buried_at < now() - interval '1 day'"

export const FORGET_EVENTS =
  "delete from processed_events where processed_at < now() - interval '1 day'"
