/**
 * Who may call what. Each route declares it where it is made, in its schema's `security`,
 * so that the page at /docs tells it too; a server does not start with a route that
 * declares nothing and is not one of the few that are for everybody.
 */
import type { FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify'
import type { Http } from '../http/instance.ts'
import type { Logger } from '../log.ts'
import { audit } from './audit.ts'
import { letIn } from './client-key.ts'
import { ForbiddenError, UnauthorizedError } from './errors.ts'
import { includes, type Role } from './roles.ts'
import type { Holder, Tokens } from './tokens.ts'

type Security = ReadonlyArray<Readonly<Record<string, readonly string[]>>>

/** For a route's `security`. */
export const needs = (role: Role): Security => [{ bearer: [role] }]
/** What may be seen of the cluster: by everybody, unless tokens are given out by role. */
export const VIEW: Security = [{}, { bearer: ['read'] }]

/** Health, pages without data in them, and the description of the API. */
const FOR_EVERYBODY = /^\/(|livez|readyz|metrics|docs(\/.*)?|dashboard\/[\w.-]+)$/

export const isForEverybody = (url: string): boolean => FOR_EVERYBODY.test(url)

/** For the `components` of a description whose routes need tokens. */
export const bearerScheme = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'Needed where tokens are configured; the role that a call needs stands with it'
  }
} as const

/** Of the routes that are made from now on. */
export function guardRoutes(app: Http, { tokens, log }: { tokens: Tokens; log: Logger }): void {
  const holders = new WeakMap<FastifyRequest, Holder>()
  const guards = new Map<Role, onRequestHookHandler>()
  const guardOf = (role: Role) => {
    const guard = guards.get(role) ?? guardFor(role, { tokens, holders })
    guards.set(role, guard)
    return guard
  }
  const audited = audit(log, request => holders.get(request))
  app.addHook('onRoute', route => {
    const needed = neededOf(route)
    if (needed === undefined) return
    const { role, view } = needed
    if (role === 'admin') route.onRequest = added(route.onRequest, audited)
    if (!tokens.asked || (view && !tokens.forViews)) return
    route.onRequest = added(route.onRequest, guardOf(role))
  })
}

/** @returns undefined for what is for everybody */
export function neededOf({
  url,
  schema
}: Pick<RouteOptions, 'url' | 'schema'>): { role: Role; view: boolean } | undefined {
  const security = schema?.security as Security | undefined
  const [role] = security?.flatMap(one => one['bearer'] ?? []) ?? []
  if (role !== undefined)
    return { role: role as Role, view: security?.some(one => one['bearer'] === undefined) === true }
  if (isForEverybody(url)) return undefined
  throw new Error(`${url} does not say who may call it: needs() and VIEW are in access.ts`)
}

/** To a route's hooks, once: the HEAD that goes with a GET is made of the same options. */
export function added<H>(hooks: H | H[] | undefined, hook: H): H[] {
  const present = hooks === undefined ? [] : [hooks].flat()
  return (present.includes(hook as never) ? present : [...present, hook]) as H[]
}

function guardFor(
  role: Role,
  { tokens, holders }: { tokens: Tokens; holders: WeakMap<FastifyRequest, Holder> }
): onRequestHookHandler {
  return (request, reply, done) => {
    const holder = tokens.holderOf(request.headers.authorization)
    if (holder === undefined) {
      reply.header('www-authenticate', 'Bearer')
      return done(new UnauthorizedError())
    }
    letIn(request, tokens.letInAs(holder))
    if (role === 'admin') holders.set(request, holder)
    done(includes(holder.role, role) ? undefined : new ForbiddenError(role))
  }
}
