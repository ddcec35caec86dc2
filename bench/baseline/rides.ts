/**
 * One ride, the rides to come between two areas, and a new ride: the routes, the answers
 * and the SQL of rides-api, in one process with the databases' pools.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { usernameDigest } from '../../platform/service/usernames.ts'
import { parseArea } from '../../rides-api/areas.ts'
import { Listed, RideReply } from '../../rides-api/schemas.ts'
import * as sql from '../../rides-api/sql.ts'
import { clockOf } from '../../rides-api/timestamps.ts'
import type { Pools } from './pools.ts'

/** As many rows as rides-api asks for at once. */
const PAGE_ROWS = 10_000
/** Of ids, for the first page: none lies after it. */
const LAST_ID = String(Number.MAX_SAFE_INTEGER)

const USER = 'select username from users where username_digest = $1'
const None = Type.Null()

export const rideRoutes: FastifyPluginAsyncTypebox<{ pools: Pools }> = async (app, { pools }) => {
  const created_by = Type.String()
  const area = Type.Integer()
  const body = Type.Object({
    created_by,
    timestamp: Type.String(),
    source: area,
    destination: area
  })
  const clock = clockOf('UTC')

  // The user is looked up first, as rides-api has users-api do.
  app.post(
    '/api/v1/rides',
    { schema: { body, response: { 201: Type.Object({}), 400: None } } },
    async (request, reply) => {
      const { created_by: createdBy, timestamp, source, destination } = request.body
      const digest = usernameDigest(createdBy)
      const found = await pools.primary.query({ name: 'user', text: USER, values: [digest] })
      if (found.rowCount === 0) return reply.code(400).send(null)
      const startsAtS = clock.secondsOf(timestamp)
      const { rows } = await pools.primary.query<{ ride_id: string }>({
        name: 'create',
        text: sql.CREATE,
        values: [digest, createdBy, timestamp, startsAtS, source, destination, 0, '']
      })
      return reply.code(201).header('location', `/api/v1/rides/${rows[0]?.ride_id}`).send({})
    }
  )

  const querystring = Type.Object({ source: Type.String(), destination: Type.String() })

  app.get(
    '/api/v1/rides',
    { schema: { querystring, response: { 200: Listed, 204: None } } },
    async (request, reply) => {
      const source = parseArea(request.query.source)
      const destination = parseArea(request.query.destination)
      const nowS = Math.floor(Date.now() / 1_000)
      const { rows } = await pools.reading.query<sql.UpcomingRow>({
        name: 'upcoming',
        text: sql.UPCOMING,
        values: [source, destination, nowS, LAST_ID, PAGE_ROWS]
      })
      if (rows.length === 0) return none(reply)
      return rows.map(({ ride_id, created_by, timestamp }) => ({
        rideId: Number(ride_id),
        username: created_by,
        timestamp
      }))
    }
  )

  app.get(
    '/api/v1/rides/:rideId',
    {
      schema: {
        params: Type.Object({ rideId: Type.Integer() }),
        response: { 200: RideReply, 204: None }
      }
    },
    async (request, reply) => {
      const { rideId } = request.params
      const { rows } = await pools.reading.query<sql.MemberRow>({
        name: 'find',
        text: sql.FIND,
        values: [rideId, 0, PAGE_ROWS]
      })
      const [ride] = rows
      if (ride === undefined) return none(reply)
      return {
        rideId,
        Created_by: ride.created_by,
        users: rows.flatMap(({ member }) => member ?? []),
        Timestamp: ride.timestamp,
        source: ride.source,
        destination: ride.destination
      }
    }
  )
}

const none = (reply: FastifyReply) => reply.code(204).send()
