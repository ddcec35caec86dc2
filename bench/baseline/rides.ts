/**
 * One ride, and the rides to come between two areas: the routes, the answers and the
 * SQL of rides-api, in one process with the databases' pools.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { parseArea } from '../../rides-api/areas.ts'
import { Listed, RideReply } from '../../rides-api/schemas.ts'
import * as sql from '../../rides-api/sql.ts'
import type { Pools } from './pools.ts'

/** As many rows as rides-api asks for at once. */
const PAGE_ROWS = 10_000
/** Of ids, for the first page: none lies after it. */
const LAST_ID = String(Number.MAX_SAFE_INTEGER)

const None = Type.Null()

export const rideRoutes: FastifyPluginAsyncTypebox<{ pools: Pools }> = async (app, { pools }) => {
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
