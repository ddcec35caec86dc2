/**
 * The Docker engines that workers are spread over, and joining a further one.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs, VIEW } from '../../platform/security/access.ts'
import { InvalidRequestError } from '../../wire/errors.ts'
import { withHost } from '../controls/changes.ts'
import type { ControlRoom } from '../controls/control-room.ts'
import { HostRefusedError } from '../errors.ts'
import { parseHosts } from '../runtimes/docker/hosts.ts'
import type { Engines } from '../runtimes/runtime.ts'
import { ChangedAnswer } from './controls.ts'

export interface HostsRouteOptions {
  readonly room: ControlRoom
  readonly engines: Engines | undefined
}

const HostBody = Type.Object(
  {
    name: Type.String({ pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$' }),
    url: Type.Optional(Type.String({ maxLength: 500 })),
    socket: Type.Optional(Type.String({ pattern: '^/', maxLength: 500 }))
  },
  { additionalProperties: false, examples: [{ name: 'db2', url: 'tcp://db2:2376' }] }
)

const Hosts = Type.Array(
  Type.Object({
    name: Type.String(),
    url: Type.String(),
    reached: Type.Boolean({ description: 'By this orchestrator' }),
    workers: Type.Integer({ description: 'As last seen' })
  }),
  { description: 'In the order in which they joined' }
)

const tags = ['cluster']

export const hostsRoute: FastifyPluginAsyncTypebox<HostsRouteOptions> = async (
  app,
  { room, engines }
) => {
  const summary = 'Joins a further Docker engine'
  const refused = refusals(400, 401, 403, 409, 415, 500, 503)
  const response = { 200: ChangedAnswer, ...refused }
  const schema = { tags, security: needs('admin'), summary, body: HostBody, response }
  app.post('/api/v1/cluster/hosts', { schema }, async ({ body: { name, url, socket } }) => {
    if (engines === undefined) throw new HostRefusedError('workers are processes here')
    const host = { name, url: urlOf({ url, socket }) }
    await engines.probe(host.url).catch((cause: unknown) => {
      throw new HostRefusedError(`${host.url} cannot run workers: ${String(cause)}`, { cause })
    })
    const known = engines.list().map(one => one.url)
    const joined = new Set(room.controls.hosts.map(one => one.url))
    return room.change(
      withHost(
        host,
        known.filter(one => !joined.has(one))
      )
    )
  })
}

/** What may be seen without a token, as the cluster may. */
export const hostsView: FastifyPluginAsyncTypebox<HostsRouteOptions> = async (
  app,
  { room, engines }
) => {
  const summary = 'The Docker engines of this orchestrator'
  const schema = {
    ...{ tags, security: VIEW, summary },
    response: { 200: Hosts, ...refusals(401, 403, 500) }
  }
  app.get('/api/v1/cluster/hosts', { schema }, () => {
    const names = new Map(room.controls.hosts.map(({ name, url }) => [url, name]))
    return (engines?.list() ?? []).map(one => ({ name: names.get(one.url) ?? one.url, ...one }))
  })
}

/** @throws InvalidRequestError unless it is one, and that of an engine */
function urlOf({ url, socket }: { url?: string | undefined; socket?: string | undefined }) {
  if ((url === undefined) === (socket === undefined)) {
    throw new InvalidRequestError('give either url, or socket')
  }
  const given = url ?? `unix://${socket}`
  try {
    const hosts = parseHosts(given)
    if (hosts.length === 1) return given
  } catch (cause) {
    throw new InvalidRequestError(String(cause), { cause })
  }
  throw new InvalidRequestError('one engine at a time')
}
