/**
 * The users of the ride pooling, as docs/api.md has them. Every answer carries the header
 * `Convoy-Index`: the log index it is based on.
 */

import { type Database, UnknownOutcomeError } from 'convoy/client'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import type { Http } from '../platform/http/instance.ts'
import { IdempotencyKey, IndexHeader, refusals } from '../platform/http/openapi.ts'
import { UnknownUserError } from '../platform/service/errors.ts'
import { stepsOf } from '../platform/service/idempotency.ts'
import { checkUsername, isUsername } from '../platform/service/usernames.ts'
import { InvalidRequestError } from '../wire/errors.ts'
import { UserExistsError } from './errors.ts'
import { checkPassword, type PasswordHasher } from './passwords.ts'
import type { Relay } from './relay.ts'
import type { Listing, Users } from './users.ts'

export const SERVICE_NAME = 'users-api'
const PATH = '/api/v1/users'

/** How long a deletion waits for rides-api before it answers; the rest goes on. */
const DELETE_WAIT_MS = 2_000

const INDEX_HEADER = 'convoy-index'

export interface UserRoutes {
  readonly db: Database
  readonly users: Users
  readonly hasher: PasswordHasher
  /** Undefined until the schema is there; no call comes before that. */
  readonly relay: () => Relay
}

const headers = IndexHeader
const Empty = Type.Object({}, { description: 'Done', headers })
const Names = Type.Array(Type.String(), { description: 'Names', headers, examples: [['ada']] })
const None = Type.Null({ description: 'none', headers })
const errors = refusals(400, 422, 500, 503, 504)
const bodyErrors = refusals(413, 415)
const tags = ['users']

export function userRoutes(app: Http, options: UserRoutes): void {
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader(INDEX_HEADER)) withIndex(reply, options.db.lastIndex)
  })
  addPut(app, options)
  addGet(app, options)
  addDelete(app, options)
}

function addPut(app: Http, { users, hasher }: UserRoutes): void {
  const body = Type.Object(
    {
      username: Type.String({ description: '1 to 1,000 characters' }),
      password: Type.String({ description: 'a SHA-1 in hex, 40 digits' })
    },
    { examples: [{ username: 'ada', password: '3d725109c7e7c0bfb9d709836735b56d943d263f' }] }
  )
  const response = { 201: Empty, ...errors, ...bodyErrors }
  const schema = {
    operationId: 'users.create',
    tags,
    summary: 'Signs up a user',
    headers: IdempotencyKey,
    body,
    response
  }
  app.put(PATH, { schema }, async (request, reply) => {
    const { username, password } = request.body
    checkUsername(username)
    checkPassword(password)
    const steps = stepsOf(request.headers['idempotency-key'], call('create-user'))
    const requestId = steps.requestId('insert')
    const hash = await hasher.hash(password, requestId)
    const write = { requestId, traceId: request.id }
    const { done, index } = await users.add({ username, password: hash }, write)
    withIndex(reply, index)
    if (!done) throw new UserExistsError()
    return reply.code(201).send({})
  })
}

function addGet(app: Http, { users }: UserRoutes): void {
  const querystring = Type.Object({
    username: Type.Optional(Type.String()),
    limit: Type.Optional(Type.String()),
    after: Type.Optional(Type.String())
  })
  const response = { 200: Names, 204: None, ...errors }
  const summary = 'Names of users, in order'
  const schema = { operationId: 'users.list', tags, summary, querystring, response }
  app.get(PATH, { schema }, async (request, reply) => {
    const { username, limit, after } = request.query
    const context = { traceId: request.id }
    if (username !== undefined) {
      checkUsername(username)
      const { rows, index } = await users.find(username, context)
      // Of this very read: rides-api compares it with the indexes of deletions.
      withIndex(reply, index)
      return sendNames(
        reply,
        rows.map(row => row.username)
      )
    }
    return sendNames(reply, await users.list(listingOf({ limit, after }), context))
  })
}

function addDelete(app: Http, { users, relay }: UserRoutes): void {
  const params = Type.Object({ username: Type.String() })
  const summary = 'Deletes a user, with all rides of the user'
  const schema = {
    operationId: 'users.delete',
    tags,
    summary,
    headers: IdempotencyKey,
    params,
    response: { 200: Empty, ...errors }
  }
  app.delete(`${PATH}/:username`, { schema }, async (request, reply) => {
    const { username } = request.params
    if (!isUsername(username)) throw new UnknownUserError()
    const steps = stepsOf(request.headers['idempotency-key'], call('delete-user'))
    // Both come from the key: the same call again leaves the same event, not a second one.
    const requestId = steps.requestId('delete')
    const eventId = steps.requestId('event')
    const write = { requestId, eventId, traceId: request.id }
    const { done, index } = await users.remove(username, write).catch(err => {
      // Perhaps the user is gone already; then so must be the rides.
      if (err instanceof UnknownOutcomeError) relay().sweep()
      throw err
    })
    withIndex(reply, index)
    if (!done) throw new UnknownUserError()
    await relay().announce({ eventId, username, index }, DELETE_WAIT_MS)
    return {}
  })
}

const call = (operation: string) => ({ service: SERVICE_NAME, operation })

const withIndex = (reply: FastifyReply, index: number) => reply.header(INDEX_HEADER, index)

const sendNames = (reply: FastifyReply, names: string[]) =>
  names.length === 0 ? reply.code(204).send() : reply.code(200).send(names)

function listingOf({ limit, after }: { limit?: string | undefined; after?: string | undefined }) {
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new InvalidRequestError('limit is a number from 1 to 999999999')
  }
  if (after !== undefined) checkUsername(after)
  const listing: Listing = {
    ...(after === undefined ? {} : { after }),
    ...(limit === undefined ? {} : { limit: Number(limit) })
  }
  return listing
}
