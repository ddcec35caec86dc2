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

const byToken = new WeakMap<FastifyRequest, string>()
const byAddress = new WeakMap<Socket, string>()

/** @param token a secret that has enough entropy to be one; 72 bits of its digest are told */
export const keyOfToken = (token: string): string => keyOf(`token ${token}`)

/** For the guard of a route, once the token was found to be known. */
export function letIn(request: FastifyRequest, key: string): void {
  byToken.set(request, key)
}

export function clientOf(request: FastifyRequest): string {
  return byToken.get(request) ?? keyOfSocket(request.socket)
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
