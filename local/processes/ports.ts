/**
 * Ports that one starter holds against all others on this machine, for as long as its
 * system runs: also while the process that listens there is being started again.
 */
import { randomInt } from 'node:crypto'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { claim } from '../../platform/claim.ts'

/** Below the range that outgoing connections use, so that a restarted server finds its port free. */
const FREE_PORTS = { first: 20_000, last: 32_000 }
const ATTEMPTS = 200
/** A second clone finds the same last digits: 8080, 8180, 8280, ... */
const STEP = 100
const STEPS = 20

/** Ports claimed for one system, freed together. Two starters at the same moment get different ones. */
export class Ports implements AsyncDisposable {
  readonly #claims: AsyncDisposable[] = []

  /** `preferred`, or one some hundreds above it, or with no preference any free one. */
  async take(preferred?: number): Promise<number> {
    if (preferred !== undefined) {
      for (let port = preferred; port <= preferred + STEP * STEPS && port < 65_536; port += STEP) {
        if (await this.#claimed(port)) return port
      }
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const port = randomInt(FREE_PORTS.first, FREE_PORTS.last)
      if (await this.#claimed(port)) return port
    }
    throw new Error(`no free port on 127.0.0.1 after ${ATTEMPTS} attempts`)
  }

  async #claimed(port: number): Promise<boolean> {
    const claimed = await claim(`port/${port}`)
    if (!claimed) return false
    if (await isFree(port)) {
      this.#claims.push(claimed)
      return true
    }
    await claimed[Symbol.asyncDispose]()
    return false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#claims.splice(0).map(claimed => claimed[Symbol.asyncDispose]()))
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: '127.0.0.1' })
  if (server) await closed(server)
  return server !== undefined
}

function listening(address: ListenOptions): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer(socket => socket.destroy())
    server.once('error', () => resolve(undefined)).listen(address, () => resolve(server))
  })
}

const closed = (server: Server): Promise<void> =>
  new Promise(resolve => server.close(() => resolve()))
