/** Where others reach a server: under its machine's (or container's) name when it listens everywhere. */
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { Server as TlsServer } from 'node:tls'
import type { Http } from './instance.ts'

/** @param host as it was told to listen on; it does listen */
export function originOf(app: Http, host: string): string {
  const { port } = app.server.address() as AddressInfo
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? hostname() : host
  const scheme = (app.server as object) instanceof TlsServer ? 'https' : 'http'
  return `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`
}
