/**
 * The rides of the ride pooling, as docs/api.md has them: the spellings and capitals of
 * bodies are the clients', not ours.
 */
import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Http } from '../platform/http/instance.ts'
import { IdempotencyKey, refusals } from '../platform/http/openapi.ts'
import { contextOf } from '../platform/service/context.ts'
import { UnknownUserError } from '../platform/service/errors.ts'
import { stepsOf } from '../platform/service/idempotency.ts'
import { isUsername } from '../platform/service/usernames.ts'
import { MethodNotAllowedError } from '../wire/errors.ts'
import { parseArea } from './areas.ts'
import { JoinedAlreadyError, OwnRideError, SameAreaError, UnknownRideError } from './errors.ts'
import type { JoinVerdict, NewRide, Rides } from './rides.ts'
import { Listed, RideReply } from './schemas.ts'
import type { Clock } from './timestamps.ts'

export const SERVICE_NAME = 'rides-api'
const PATH = '/api/v1/rides'

export interface RideRoutes {
  readonly rides: Rides
  readonly clock: Clock
}

const Area = Type.Union([Type.Integer(), Type.String()], { description: 'from 1 to 198' })
const NewRideBody = Type.Object(
  {
    created_by: Type.String({ description: 'a username' }),
    timestamp: Type.String({ description: 'DD-MM-YYYY:SS-MM-HH' }),
    source: Area,
    destination: Area
  },
  {
    examples: [{ created_by: 'ada', timestamp: '31-12-2030:00-30-18', source: 1, destination: 198 }]
  }
)
const Empty = Type.Object({}, { description: 'Done' })
const Created = Type.Object(
  {},
  {
    description: 'Done',
    headers: { Location: { type: 'string', description: 'The path of the new ride' } }
  }
)
const None = Type.Null({ description: 'none' })
const RideParams = Type.Object({ rideId: Type.String() })
const errors = refusals(400, 422, 500, 503, 504)
const bodyErrors = refusals(413, 415)
const headers = IdempotencyKey
const tags = ['rides']

export function rideRoutes(app: Http, options: RideRoutes): void {
  addCreate(app, options)
  addList(app, options)
  addCount(app, options)
  addFind(app, options)
  addJoin(app, options)
  addRemove(app, options)
}

function addCreate(app: Http, { rides, clock }: RideRoutes): void {
  const response = { 201: Created, ...errors, ...bodyErrors }
  const about = { operationId: 'rides.create', tags, summary: 'Offers a ride' }
  const schema = { ...about, headers, body: NewRideBody, response }
  app.post(PATH, { schema }, async (request, reply) => {
    const ride = newRide(request.body, clock)
    if (!isUsername(ride.createdBy)) throw new UnknownUserError()
    const rideId = await rides.create(ride, settling(request, ['create-ride', ride]))
    if (rideId === undefined) throw new UnknownUserError()
    return reply.code(201).header('location', `${PATH}/${rideId}`).send({})
  })
}

function addList(app: Http, { rides }: RideRoutes): void {
  const querystring = Type.Object({ source: Type.String(), destination: Type.String() })
  const response = { 200: Listed, 204: None, ...errors }
  const about = { operationId: 'rides.list', tags, summary: 'Rides to come, soonest first' }
  const schema = { ...about, querystring, response }
  app.get(PATH, { schema }, async (request, reply) => {
    const source = parseArea(request.query.source)
    const destination = parseArea(request.query.destination)
    const nowS = Math.floor(Date.now() / 1_000)
    const found = await rides.upcoming({ source, destination, nowS }, contextOf(request))
    return found.length === 0 ? none(reply) : reply.code(200).send(found)
  })
}

function addCount(app: Http, { rides }: RideRoutes): void {
  const response = { 200: Type.Array(Type.Integer(), { description: 'One number' }), ...errors }
  const schema = { operationId: 'rides.count', tags, summary: 'How many rides exist', response }
  app.get(`${PATH}/count`, { schema }, async request => [await rides.count(contextOf(request))])
  // Else these would be taken for a ride called "count".
  app.route({
    method: ['POST', 'DELETE'],
    url: `${PATH}/count`,
    schema: { hide: true },
    onRequest: (request, reply, done) => {
      reply.header('allow', 'GET, HEAD')
      done(new MethodNotAllowedError(request.method, new Set(['GET', 'HEAD'])))
    },
    handler: () => {}
  })
}

function addFind(app: Http, { rides }: RideRoutes): void {
  const response = { 200: RideReply, 204: None, ...errors }
  const about = { operationId: 'rides.find', tags, summary: 'One ride' }
  const schema = { ...about, params: RideParams, response }
  app.get(`${PATH}/:rideId`, { schema }, async (request, reply) => {
    const id = parseRideId(request.params.rideId)
    const ride = id === undefined ? undefined : await rides.find(id, contextOf(request))
    if (ride === undefined) return none(reply)
    const { rideId, createdBy, users, timestamp, source, destination } = ride
    const names = { Created_by: createdBy, users, Timestamp: timestamp }
    return reply.code(200).send({ rideId, ...names, source, destination })
  })
}

function addJoin(app: Http, { rides }: RideRoutes): void {
  const body = Type.Object({ username: Type.String() }, { examples: [{ username: 'grace' }] })
  const response = { 200: Empty, ...errors, ...bodyErrors }
  const about = { operationId: 'rides.join', tags, summary: 'Joins a ride' }
  const schema = { ...about, headers, params: RideParams, body, response }
  app.post(`${PATH}/:rideId`, { schema }, async request => {
    const rideId = parseRideId(request.params.rideId)
    if (rideId === undefined) throw new UnknownRideError()
    const { username } = request.body
    if (!isUsername(username)) throw new UnknownUserError()
    const join = { rideId, username }
    refuse(await rides.join(join, settling(request, ['join-ride', join])))
    return {}
  })
}

function addRemove(app: Http, { rides }: RideRoutes): void {
  const response = { 200: Empty, ...errors }
  const about = { operationId: 'rides.delete', tags, summary: 'Deletes a ride' }
  const schema = { ...about, headers, params: RideParams, response }
  app.delete(`${PATH}/:rideId`, { schema }, async request => {
    const rideId = parseRideId(request.params.rideId)
    const steps = stepsFor(request, 'delete-ride')
    const write = { ...contextOf(request), requestId: steps.requestId('delete') }
    if (rideId === undefined || !(await rides.remove(rideId, write))) throw new UnknownRideError()
    return {}
  })
}

/** @throws InvalidAreaError, SameAreaError, InvalidTimestampError */
function newRide(body: Type.Static<typeof NewRideBody>, clock: Clock): NewRide {
  const source = parseArea(body.source)
  const destination = parseArea(body.destination)
  if (source === destination) throw new SameAreaError()
  const { created_by: createdBy, timestamp } = body
  return { createdBy, timestamp, startsAtS: clock.secondsOf(timestamp), source, destination }
}

/** Undefined for what can be no ride's id. */
const parseRideId = (text: string) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined)

const stepsFor = (request: FastifyRequest, operation: string) =>
  stepsOf(request.headers['idempotency-key'], { service: SERVICE_NAME, operation })

/** What the write of this call needs; the intent is what the caller sent. */
function settling(request: FastifyRequest, [operation, wanted]: [string, object]) {
  const intent = hash('sha256', JSON.stringify(wanted), 'base64url')
  return { ...contextOf(request), steps: stepsFor(request, operation), step: 'insert', intent }
}

function refuse(verdict: JoinVerdict): void {
  if (verdict === 'ride unknown') throw new UnknownRideError()
  if (verdict === 'user unknown') throw new UnknownUserError()
  if (verdict === 'own ride') throw new OwnRideError()
  if (verdict === 'joined already') throw new JoinedAlreadyError()
}

const none = (reply: FastifyReply) => reply.code(204).send()
