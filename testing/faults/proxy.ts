/**
 * A TCP proxy in front of one server, which can do to each party's connections what a
 * network can: fall silent in one direction or both, be slow, break.
 */
import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { partyOf } from './peer.ts'
import { OPEN, Pipe, type Way } from './pipe.ts'

/** A ZooKeeper session: whoever knows id and password can go on with it, or end it. */
export interface SeenSession {
  readonly party: string
  readonly id: string
  readonly password: string
}

interface Connection {
  readonly party: string
  readonly client: Socket
  readonly upstream: Socket
  /** From the party to the server, and back. */
  readonly to: Pipe
  readonly from: Pipe
  session: SeenSession | undefined
}

export type Direction = 'to' | 'from'
export type WayOf = (party: string, direction: Direction) => Way

export class TcpProxy implements Disposable {
  readonly #port: number
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  #wayOf: WayOf = () => OPEN

  /** @param port of the server behind it, on 127.0.0.1 */
  constructor(port: number) {
    this.#port = port
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, client =>
      this.#accept(client)
    )
  }

  /** @returns the port that it listens on */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this.#ownPort
  }

  /** From now on, for connections that are and that come. */
  setWays(wayOf: WayOf): void {
    this.#wayOf = wayOf
    for (const connection of this.#connections) this.#setWay(connection)
  }

  /** Ends a party's connections as a firewall would that forgot them. */
  reset(party: string): void {
    for (const connection of this.#connections) {
      if (connection.party !== party) continue
      connection.client.resetAndDestroy()
      connection.upstream.resetAndDestroy()
    }
  }

  /** Of connections to a ZooKeeper. */
  get sessions(): SeenSession[] {
    return [...this.#connections].flatMap(({ session }) => session ?? [])
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const { client, upstream } of this.#connections) {
      client.destroy()
      upstream.destroy()
    }
  }

  get #ownPort(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  #accept(client: Socket): void {
    const party = partyOf(client.remotePort ?? 0, this.#ownPort) ?? ''
    // Silent from the first byte on, where it is cut: who dials is not even greeted.
    const upstream = createConnection({
      ...{ port: this.#port, host: '127.0.0.1' },
      ...{ allowHalfOpen: true, noDelay: true }
    })
    const to = new Pipe(client, upstream)
    const from = new Pipe(upstream, client)
    const connection: Connection = { party, client, upstream, to, from, session: undefined }
    upstream.once('data', greeting => {
      connection.session = sessionIn(greeting, party)
    })
    this.#connections.add(connection)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      socket.on('error', () => {}) // 'close' follows.
      socket.on('close', () => {
        if (other.closed) this.#connections.delete(connection)
      })
    }
    this.#setWay(connection)
  }

  #setWay({ party, to, from }: Connection): void {
    to.set(this.#wayOf(party, 'to'))
    from.set(this.#wayOf(party, 'from'))
  }
}

/** ZooKeeper's first answer: length, protocol, timeout, session id, password. */
function sessionIn(greeting: Buffer, party: string): SeenSession | undefined {
  const isGreeting = greeting.length >= 40 && greeting.readInt32BE(20) === 16
  if (!isGreeting) return undefined
  const [id, password] = [greeting.subarray(12, 20), greeting.subarray(24, 40)]
  return { party, id: id.toString('hex'), password: password.toString('hex') }
}
