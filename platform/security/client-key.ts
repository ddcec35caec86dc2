/**
 * Whose share a request uses, where clients compete for the cluster: the token that it was
 * let in with or, where no tokens are set, the network it came from. The key is the same on
 * every orchestrator and tells nothing of the token.
 * Invariant: no header counts except a token that was checked. A client can therefore not
 * take several shares by naming other addresses.
 */
import { hash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { networkOf } from '../http/network.ts'

const CHARS = 12

/** Who was let in with a token. */
export interface LetIn {
  /** Whose share it uses. */
  readonly client: string
  /** Whose request ids these are: the holder by name, so that a new token changes nothing. */
  readonly owner: string
  /** Whether the outcomes of others may be seen. */
  readonly seesAll: boolean
}

const byToken = new WeakMap<FastifyRequest, LetIn>()
const byAddress = new WeakMap<Socket, string>()

/** @param token a secret that has enough entropy to be one; 72 bits of its digest are told */
export const keyOfToken = (token: string): string => keyOf(`token ${token}`)

export const keyOfOwner = (name: string): string => keyOf(`owner ${name}`)

/** For the guard of a route, once the token was found to be known. */
export function letIn(request: FastifyRequest, as: LetIn): void {
  byToken.set(request, as)
}

export function clientOf(request: FastifyRequest): string {
  return byToken.get(request)?.client ?? keyOfSocket(request.socket)
}

/** @returns undefined where no tokens are in use: a client may come back from another address */
export const ownerOf = (request: FastifyRequest): string | undefined => byToken.get(request)?.owner

/** @returns whose outcomes the request may see; undefined: everybody's */
export function seenBy(request: FastifyRequest): string | undefined {
  const as = byToken.get(request)
  return as?.seesAll === true ? undefined : as?.owner
}

/** An address does not change while its connection lasts. */
function keyOfSocket(socket: Socket): string {
  const known = byAddress.get(socket)
  if (known !== undefined) return known
  const key = keyOf(`network ${networkOf(socket.remoteAddress ?? '')}`)
  byAddress.set(socket, key)
  return key
}

const keyOf = (text: string): string =>
  hash('sha256', `convoy client ${text}`, 'base64url').slice(0, CHARS)
