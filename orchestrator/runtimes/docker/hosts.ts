/**
 * The engines that CONVOY_DOCKER_HOSTS names, and where a new worker goes. Pure.
 */

export interface EngineHost {
  /** As it was written: the engine's name in logs. */
  readonly name: string
  readonly socketPath: string | null
  /** Of one that is reached over TCP, with TLS. */
  readonly address: { readonly host: string; readonly port: number } | null
}

const TLS_PORT = 2376

/** @param text comma separated: `unix:///path/of/docker.sock` or `tcp://host:2376` @throws TypeError naming a wrong one */
export function parseHosts(text: string): EngineHost[] {
  const names = text.split(',').map(name => name.trim())
  if (new Set(names).size < names.length) throw new TypeError('the same engine is named twice')
  return names.map(parseHost)
}

function parseHost(name: string): EngineHost {
  const url = URL.canParse(name) ? new URL(name) : null
  if (url?.protocol === 'unix:' && url.host === '' && url.pathname.length > 1) {
    return { name, socketPath: decodeURIComponent(url.pathname), address: null }
  }
  if (url?.protocol === 'tcp:' && url.hostname !== '') {
    const port = url.port === '' ? TLS_PORT : Number(url.port)
    return { name, socketPath: null, address: { host: url.hostname, port } }
  }
  throw new TypeError(`"${name}" is neither unix:///path/of/a/socket nor tcp://host:port`)
}

/** The one with the fewest places; of several, the one named first. */
export function emptiest<E extends { readonly count: number }>(
  engines: readonly E[]
): E | undefined {
  return engines.reduce<E | undefined>(
    (best, engine) => (best === undefined || engine.count < best.count ? engine : best),
    undefined
  )
}
