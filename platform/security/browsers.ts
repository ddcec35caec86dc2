/**
 * What a browser may be made to send by a page of somebody else. Such a page needs no token
 * to reach a server on the same machine, and where none is asked for it could change things.
 * Other clients send none of these headers, and are not concerned. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { ServiceError } from '../../wire/errors.ts'

export class CrossSiteError extends ServiceError {
  readonly code = 'CONVOY_CROSS_SITE'
  readonly statusCode = 403

  constructor() {
    super('a page of another site asks for this, and only pages of this server may')
  }
}

export class UnknownHostError extends ServiceError {
  readonly code = 'CONVOY_UNKNOWN_HOST'
  readonly statusCode = 421

  constructor(host: string) {
    super(`without tokens this server is called localhost or by its address, not ${host}`)
  }
}

const CHANGES_NOTHING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Of the headers only those that a page cannot choose are believed. */
export function isCrossSite(method: string, headers: IncomingHttpHeaders): boolean {
  if (CHANGES_NOTHING.has(method)) return false
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  const { origin } = headers
  if (origin === undefined) return false
  const host = headers['x-forwarded-host'] ?? headers.host // as lb was called
  return !URL.canParse(origin) || new URL(origin).host !== host
}

/** Of nearly every request. */
const OWN_NAME = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i

/**
 * A name that somebody else can make point here; then the browser takes their page for one of ours.
 * @param own names that an operator has given this server, in lower case
 */
export function isForeignName(host: string | undefined, own?: ReadonlySet<string>): boolean {
  if (host === undefined || OWN_NAME.test(host)) return false
  if (!URL.canParse(`http://${host}`)) return true
  const { hostname } = new URL(`http://${host}`)
  if (own?.has(hostname) === true) return false
  const address = hostname.replace(/^\[|\]$/g, '')
  return isIP(address) === 0 && hostname !== 'localhost.' && !/\.localhost\.?$/.test(hostname)
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

export const isLoopback = (address: string | undefined): boolean => LOOPBACK.test(address ?? '')
