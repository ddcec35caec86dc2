/**
 * One TCP connection to one ZooKeeper server, on behalf of one session: the only
 * file that knows the npm client, and used for a single connection each.
 * Invariants:
 * - Every operation ends: with an answer, or with ZooKeeperUnavailableError.
 * - A silent server is noticed within two thirds of the session's time, which leaves
 *   the last third to go on with the same session over another connection.
 * - Nothing is sent after the link has ended: what the npm client would queue until
 *   it is connected again is never given to it.
 */
import { isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import zookeeper, { type Client, type Stat } from 'node-zookeeper-client'
import { clientCertificate } from '../security/tls.ts'

const { ACL, CreateMode, Exception, Id, Permission } = zookeeper

/** Whoever has the credentials of the one that makes a node, and nobody else, may use it. */
const CREATOR_ALL = [new ACL(Permission.ALL, new Id('auth', ''))]

/** Timed out, or the connection was lost: of a write the outcome is unknown. */
export class ZooKeeperUnavailableError extends Error {
  override readonly name = 'ZooKeeperUnavailableError'
}

/** Nothing was answered in time: the server may be gone, or only not be heard. */
export class ZooKeeperSilentError extends ZooKeeperUnavailableError {}

/** The server answered, and refused for a reason that the operation did not expect. */
export class ZooKeeperRefusedError extends Error {
  override readonly name = 'ZooKeeperRefusedError'
  readonly code: number

  constructor(code: number, what: string) {
    super(`ZooKeeper refused ${what} (code ${code})`)
    this.code = code
  }
}

/** The server no longer knows the session that was to be resumed. */
export class SessionExpiredError extends Error {
  override readonly name = 'SessionExpiredError'
}

export interface Session {
  readonly id: Buffer
  readonly password: Buffer
}

export interface LinkOptions {
  readonly host: string
  readonly tls?: boolean | undefined
  readonly auth: string
  readonly timeoutMs: number
  /** To be resumed; a new one when undefined. */
  readonly session: Session | undefined
}

export interface Found {
  readonly data: string
  readonly version: number
}

/** What the npm client keeps to itself, and we need: it offers no way to break a connection. */
interface Internals {
  socket?: Socket
  connect(): void
  setState(state: number): void
  onSocketConnected(): void
  onSocketData(chunk: Buffer): void
  onSocketDrain(): void
  onSocketClosed(): void
  on(event: 'state', listener: (state: number) => void): void
}
const DISCONNECTED = 0
const CONNECTING = 1
const CONNECTED = 2
const SESSION_EXPIRED = -3

type Failure = Error | InstanceType<typeof Exception> | null
type Done<T> = (error: Failure, value: T) => void

export class Link {
  /** Called once, when the link has ended. */
  onEnd: (cause: Error) => void = () => {}
  readonly #client: Client
  readonly #internals: Internals
  readonly #pending = new Set<(cause: Error) => void>()
  #heartbeat: NodeJS.Timeout | undefined
  #answerMs: number
  #cause: Error | undefined
  /** The handshake, until it is done. */
  readonly #dialled = Promise.withResolvers<void>()

  private constructor(options: LinkOptions) {
    this.#answerMs = options.timeoutMs / 2
    const resume = options.session && {
      sessionId: options.session.id,
      sessionPassword: options.session.password
    }
    const settings = { sessionTimeout: options.timeoutMs, retries: 0, ...resume }
    this.#client = zookeeper.createClient(options.host, settings)
    this.#client.addAuthInfo('digest', Buffer.from(options.auth))
    this.#internals = (
      this.#client as unknown as { connectionManager: Internals }
    ).connectionManager
    this.#internals.on('state', state => this.#stateChanged(state))
  }

  /**
   * @throws SessionExpiredError when the session to be resumed is gone
   * @throws ZooKeeperUnavailableError when the server cannot be reached, or does not answer
   */
  static async dial(options: LinkOptions): Promise<Link> {
    const link = new Link(options)
    const timer = setTimeout(
      () => link.end(new ZooKeeperSilentError('no handshake')),
      link.#answerMs
    )
    link.#connect(options)
    try {
      await link.#dialled.promise
    } finally {
      clearTimeout(timer)
    }
    link.#answerMs = link.timeoutMs / 2
    link.#heartbeat = setInterval(() => link.#ping(), link.timeoutMs / 6)
    return link
  }

  get ended(): boolean {
    return this.#cause !== undefined
  }

  get session(): Session {
    return { id: this.#client.getSessionId(), password: this.#client.getSessionPassword() }
  }

  /** As granted by the server. */
  get timeoutMs(): number {
    return this.#client.getSessionTimeout()
  }

  /** `onChange` is called once, at the next change or deletion; not set when there is no node. */
  async get(path: string, onChange?: () => void): Promise<Found | undefined> {
    return this.#ask<Found>(`to read ${path}`, [Exception.NO_NODE], done => {
      const got = (error: Failure, data: Buffer | undefined, stat: Stat | undefined) =>
        done(error, { data: data?.toString() ?? '', version: stat?.version ?? -1 })
      if (onChange === undefined) this.#client.getData(path, got)
      else this.#client.getData(path, onChange, got)
    })
  }

  /** `onChange` is called once, when the node comes, changes or goes. */
  async exists(path: string, onChange?: () => void): Promise<Stat | undefined> {
    const stat = await this.#ask<Stat | null>(`to look at ${path}`, [], done =>
      onChange === undefined
        ? this.#client.exists(path, done)
        : this.#client.exists(path, onChange, done)
    )
    return stat ?? undefined
  }

  /** `onChange` is called once, when a child comes or goes; not set when there is no node. */
  async children(path: string, onChange?: () => void): Promise<string[] | undefined> {
    return this.#ask<string[]>(`to list ${path}`, [Exception.NO_NODE], done =>
      onChange === undefined
        ? this.#client.getChildren(path, done)
        : this.#client.getChildren(path, onChange, done)
    )
  }

  /** @returns false when there is one already */
  async create(path: string, data: string, ephemeral: boolean): Promise<boolean> {
    const mode = ephemeral ? CreateMode.EPHEMERAL : CreateMode.PERSISTENT
    const created = await this.#ask<string>(`to create ${path}`, [Exception.NODE_EXISTS], done =>
      this.#client.create(path, Buffer.from(data), CREATOR_ALL, mode, done)
    )
    return created !== undefined
  }

  /** @returns the new version; undefined when the version is another, or there is no node */
  async write(path: string, data: string, version: number): Promise<number | undefined> {
    const misses = [Exception.BAD_VERSION, Exception.NO_NODE]
    const stat = await this.#ask<Stat>(`to write ${path}`, misses, done =>
      this.#client.setData(path, Buffer.from(data), version, done)
    )
    return stat?.version
  }

  /** From now on only whoever has the credentials of this link may use the node itself. */
  async own(path: string): Promise<void> {
    await this.#ask<true>(`to own ${path}`, [], done =>
      this.#client.setACL(path, CREATOR_ALL, error => done(error, true))
    )
  }

  /** @returns false when the version is another, or there is no node */
  async remove(path: string, version: number): Promise<boolean> {
    const misses = [Exception.BAD_VERSION, Exception.NO_NODE]
    const removed = await this.#ask<true>(`to remove ${path}`, misses, done =>
      this.#client.remove(path, version, error => done(error, true))
    )
    return removed === true
  }

  /** All or none. @returns false when one of them is not there */
  async removeAll(paths: readonly string[]): Promise<boolean> {
    const removed = await this.#ask<true>(`to remove ${paths}`, [Exception.NO_NODE], done => {
      const transaction = this.#client.transaction()
      for (const path of paths) transaction.remove(path)
      transaction.commit(error => done(error, true))
    })
    return removed === true
  }

  /** Puts an ephemeral node of this session in the place of another's; false when that has just gone. */
  async replace(path: string, data: string): Promise<boolean> {
    const misses = [Exception.NO_NODE, Exception.NODE_EXISTS]
    const replaced = await this.#ask<true>(`to replace ${path}`, misses, done =>
      this.#client
        .transaction()
        .remove(path)
        .create(path, Buffer.from(data), CREATOR_ALL, CreateMode.EPHEMERAL)
        .commit(error => done(error, true))
    )
    return replaced === true
  }

  /** Ends the session too: its ephemeral nodes are gone at once. */
  async close(): Promise<void> {
    if (this.ended) return
    const ended = new Promise<void>(resolve => this.#pending.add(() => resolve()))
    this.#client.close()
    const timer = setTimeout(() => this.end('closing timed out'), this.#answerMs)
    await ended
    clearTimeout(timer)
  }

  end(why: string | Error): void {
    if (this.#cause !== undefined) return
    const cause = typeof why === 'string' ? new ZooKeeperUnavailableError(why) : why
    this.#cause = cause
    clearInterval(this.#heartbeat)
    this.#internals.socket?.destroy()
    this.#dialled.reject(cause)
    for (const reject of this.#pending) reject(cause)
    this.#pending.clear()
    this.onEnd(cause)
  }

  /** Not behind an operation without an answer: whom we do not hear is not to keep our session. */
  #ping(): void {
    if (this.#pending.size === 0) this.exists('/').catch(() => {})
  }

  #connect({ host, tls }: LinkOptions): void {
    const internals = this.#internals
    const parse = internals.onSocketData
    // It throws at error codes that it does not know, which would end the process.
    internals.onSocketData = chunk => {
      try {
        parse.call(internals, chunk)
      } catch {
        queueMicrotask(() => this.end('answer not understood'))
      }
    }
    if (tls === true) internals.connect = () => connectSecurely(internals, host)
    this.#client.connect()
    // It must not redial: half an answer from the old connection would garble the next,
    // and what was given up long ago would be sent.
    internals.connect = () => {}
  }

  #stateChanged(state: number): void {
    if (state === CONNECTED) this.#dialled.resolve()
    if (state === SESSION_EXPIRED) this.end(new SessionExpiredError('session expired'))
    if (state === DISCONNECTED) this.end('connection lost')
  }

  /** Resolves undefined for the codes in `misses`. */
  #ask<T>(what: string, misses: number[], start: (done: Done<T>) => void): Promise<T | undefined> {
    if (this.#cause !== undefined) return Promise.reject(this.#cause)
    return new Promise<T | undefined>((resolve, reject) => {
      // Not at once: if it was this process that stood still, the answer waits to be read.
      const timer = setTimeout(
        () => setImmediate(() => this.#pending.has(reject) && this.end(silence())),
        this.#answerMs
      )
      this.#pending.add(reject)
      const settled = () => {
        clearTimeout(timer)
        return this.#pending.delete(reject)
      }
      start((error, value) => {
        if (!settled()) return
        if (error === null || error === undefined) return resolve(value)
        const code = 'code' in error ? Number(error.code) : Exception.SYSTEM_ERROR
        if (misses.includes(code)) return resolve(undefined)
        if (LOST.has(code)) return reject(new ZooKeeperUnavailableError(`lost while asked ${what}`))
        reject(new ZooKeeperRefusedError(code, what))
      })
    })
  }
}

/** As the npm client connects, which knows only plain sockets. */
function connectSecurely(internals: Internals, address: string): void {
  internals.setState(CONNECTING)
  const { hostname, port } = new URL(`https://${address}`)
  const host = hostname.replace(/^\[|\]$/g, '')
  const name = isIP(host) === 0 ? { servername: host } : {}
  const socket = connectTls({
    ...{ host, port: Number(port || 443) },
    ...name,
    ...clientCertificate()
  })
  internals.socket = socket
  socket.setNoDelay()
  socket.on('secureConnect', () => internals.onSocketConnected())
  socket.on('data', chunk => internals.onSocketData(chunk))
  socket.on('drain', () => internals.onSocketDrain())
  socket.on('close', () => internals.onSocketClosed())
  socket.on('error', () => {}) // 'close' follows
}

const silence = () => new ZooKeeperSilentError('no answer')

const LOST = new Set([
  Exception.CONNECTION_LOSS,
  Exception.OPERATION_TIMEOUT,
  Exception.SESSION_EXPIRED
])
