/**
 * The one way to ZooKeeper: a client that lives as long as the process, whatever
 * becomes of connections, sessions and servers. Paths are below the cluster's chroot.
 * Invariants:
 * - An operation answers or rejects within half a session's time, and at once while
 *   there is no connection; none waits in a queue to be done later.
 * - On expiry, listeners hear 'expired' before a new session is begun.
 * - After each (re)connect, everything watched or kept is read again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, RECONNECT } from '../wire/backoff.ts'
import { chrootOf, INSTANCES, ORCHESTRATORS, SERVICES, WORKERS } from '../wire/znodes.ts'
import type { Logger } from './log.ts'
import { type Keeper, type Kept, KeptNode } from './zookeeper/keep.ts'
import {
  type Found,
  Link,
  type Session,
  SessionExpiredError,
  ZooKeeperSilentError,
  ZooKeeperUnavailableError
} from './zookeeper/link.ts'
import { ChildrenWatch, NodeWatch, type Watching } from './zookeeper/watches.ts'

export type { Kept } from './zookeeper/keep.ts'
export { ZooKeeperRefusedError, ZooKeeperUnavailableError } from './zookeeper/link.ts'

export interface Node {
  readonly data: string
  readonly version: number
}

/** 'up' after each (re)connect, 'down' when a connection ends, 'expired' when the session is lost. */
export type ConnectionEvent = 'up' | 'down' | 'expired'

/** Every operation may reject with ZooKeeperUnavailableError: then the outcome of a write is unknown. */
export interface ZooKeeper extends AsyncDisposable {
  readonly connected: boolean
  /** Grows with each new session. */
  readonly session: number
  /** What the server granted, of what was asked for. */
  readonly sessionTimeoutMs: number
  /** What was true at some moment after the call began: whoever takes a lease of it takes the time before. */
  read(path: string): Promise<Node | undefined>
  /** @returns false when there is such a node */
  create(path: string, data: string, options?: { ephemeral?: boolean }): Promise<boolean>
  /** Compare-and-set. @returns the new version; undefined when it was not at `version`, or there is no node */
  write(path: string, data: string, version: number): Promise<number | undefined>
  /** @returns false when it was not at `version`, or there is no node */
  remove(path: string, version?: number): Promise<boolean>
  /** All or none. @returns false when one of them is not there */
  removeAll(paths: readonly string[]): Promise<boolean>
  /** Names; none when there is no such node. */
  children(path: string): Promise<string[]>
  /** Calls with the present value, then at each change; again, perhaps unchanged, after a reconnect. */
  watch(path: string, listener: (node: Node | undefined) => void): Disposable
  /** As `watch`, with all children by name; bursts are told as one. */
  watchChildren(path: string, listener: (nodes: ReadonlyMap<string, Node>) => void): Disposable
  /** Keeps an ephemeral node there until disposed. */
  keep(path: string, data: string): Kept
  on(listener: (event: ConnectionEvent) => void): Disposable
}

export interface ZooKeeperOptions {
  /** `host:port[,host:port...]` */
  readonly hosts: string
  /** Plain, unless told. */
  readonly tls?: boolean
  /** `user:password`; whoever has them, and nobody else, may read and write what is made. */
  readonly auth: string
  readonly cluster: string
  readonly sessionTimeoutMs: number
  /** Of a ZooKeeper that serves this cluster alone: others are kept out of its root. */
  readonly ownsRoot?: boolean
  readonly log: Logger
}

/** ZooKeeper makes these writable for everybody. */
const OPEN_TO_ALL = ['/', '/zookeeper', '/zookeeper/quota']

/** Resolves when connected and the chroot is there; tries for ever until then. */
export async function openZooKeeper(options: ZooKeeperOptions): Promise<ZooKeeper> {
  const client = new LastingZooKeeper(options)
  await client.up()
  return client
}

class LastingZooKeeper implements ZooKeeper {
  session = 0
  sessionTimeoutMs: number
  readonly #options: ZooKeeperOptions
  readonly #chroot: string
  readonly #keeper: Keeper
  readonly #listeners = new Set<(event: ConnectionEvent) => void>()
  readonly #watching = new Set<Watching>()
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>
  #link: Link | undefined
  /** To be resumed by the next link. */
  #resume: Session | undefined
  /** Whether the last link, or the last dial, ended because nothing was answered. */
  #silent = false

  constructor(options: ZooKeeperOptions) {
    this.#options = options
    this.#chroot = chrootOf(options.cluster)
    this.sessionTimeoutMs = options.sessionTimeoutMs
    this.#keeper = {
      log: options.log,
      link: () => this.#link,
      session: () => this.session,
      refused: err => options.log.error({ err }, 'ZooKeeper refused'),
      forget: kept => this.#watching.delete(kept)
    }
    this.#running = this.#run()
  }

  get connected(): boolean {
    return this.#link !== undefined
  }

  up(): Promise<void> {
    return new Promise(resolve => {
      const listening = this.on(event => {
        if (event !== 'up') return
        listening[Symbol.dispose]()
        resolve()
      })
    })
  }

  async read(path: string): Promise<Node | undefined> {
    return this.#present().get(this.#path(path))
  }

  async create(path: string, data: string, options?: { ephemeral?: boolean }): Promise<boolean> {
    return this.#present().create(this.#path(path), data, options?.ephemeral ?? false)
  }

  async write(path: string, data: string, version: number): Promise<number | undefined> {
    return this.#present().write(this.#path(path), data, version)
  }

  async remove(path: string, version = -1): Promise<boolean> {
    return this.#present().remove(this.#path(path), version)
  }

  async removeAll(paths: readonly string[]): Promise<boolean> {
    return this.#present().removeAll(paths.map(path => this.#path(path)))
  }

  async children(path: string): Promise<string[]> {
    return (await this.#present().children(this.#path(path))) ?? []
  }

  watch(path: string, listener: (node: Found | undefined) => void): Disposable {
    return this.#watch(new NodeWatch(this.#keeper, this.#path(path), listener))
  }

  watchChildren(path: string, listener: (nodes: ReadonlyMap<string, Found>) => void): Disposable {
    return this.#watch(new ChildrenWatch(this.#keeper, this.#path(path), listener))
  }

  keep(path: string, data: string): Kept {
    const kept = new KeptNode(this.#keeper, this.#path(path), data)
    this.#watching.add(kept)
    kept.refresh()
    return kept
  }

  on(listener: (event: ConnectionEvent) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await this.#link?.close()
    await this.#running
  }

  #watch(watching: Watching & Disposable): Disposable {
    this.#watching.add(watching)
    watching.refresh()
    return {
      [Symbol.dispose]: () => {
        this.#watching.delete(watching)
        watching[Symbol.dispose]()
      }
    }
  }

  #path(path: string): string {
    return `${this.#chroot}${path}`
  }

  #present(): Link {
    if (this.#link === undefined) throw new ZooKeeperUnavailableError('not connected')
    return this.#link
  }

  #emit(event: ConnectionEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    const { log } = this.#options
    const hosts = this.#options.hosts.split(',')
    for (let attempt = 0, dials = 0; !signal.aborted; dials++) {
      try {
        await this.#live(hosts[dials % hosts.length] ?? '')
        attempt = 0
      } catch (err) {
        if (err instanceof SessionExpiredError) {
          log.warn({ session: this.session }, 'ZooKeeper session expired')
          this.#resume = undefined
          this.#emit('expired') // Before anything else: whoever leads must stop first.
          continue
        }
        // Once per outage: the attempts that follow say nothing new.
        log[attempt === 0 && !signal.aborted ? 'warn' : 'debug']({ err }, 'ZooKeeper not reached')
        this.#silent = err instanceof ZooKeeperSilentError
        attempt += 1
      }
      await sleep(backoffMs(RECONNECT, attempt), undefined, { signal }).catch(() => {})
    }
  }

  /** The life of one link, from the dial to its end. */
  async #live(host: string): Promise<void> {
    const { auth, tls, sessionTimeoutMs, log } = this.#options
    const resume = this.#resume
    if (this.#silent) await this.#listen(host)
    const link = await Link.dial({ host, tls, auth, timeoutMs: sessionTimeoutMs, session: resume })
    try {
      this.#resume = link.session
      if (resume === undefined) this.session += 1
      await this.#makeRoots(link)
    } catch (err) {
      link.end(err as Error)
      throw err
    }
    if (this.#stopped.signal.aborted) return link.close()
    if (link.ended) return
    const ended = new Promise<Error>(resolve => {
      link.onEnd = cause => {
        this.#link = undefined
        this.#emit('down')
        resolve(cause)
      }
    })
    this.sessionTimeoutMs = link.timeoutMs
    this.#link = link
    log.info({ host, session: this.session, timeoutMs: link.timeoutMs }, 'ZooKeeper connected')
    this.#emit('up')
    for (const watching of this.#watching) watching.refresh()
    const cause = await ended
    this.#silent = cause instanceof ZooKeeperSilentError
    if (!this.#stopped.signal.aborted) log.warn({ err: cause }, 'ZooKeeper connection lost')
  }

  /**
   * A server that hears us and is not heard would take each dial for a sign of life, and
   * keep the session of a worker that can do nothing. So it is first asked in another one.
   */
  async #listen(host: string): Promise<void> {
    const { auth, tls, sessionTimeoutMs } = this.#options
    const link = await Link.dial({
      host,
      tls,
      auth,
      timeoutMs: sessionTimeoutMs,
      session: undefined
    })
    this.#silent = false
    await link.close()
  }

  /** On each link, for a server that lost its memory has lost them too. */
  async #makeRoots(link: Link): Promise<void> {
    const roots = ['/convoy', this.#chroot]
    for (const root of [WORKERS, ORCHESTRATORS, SERVICES, INSTANCES]) roots.push(this.#path(root))
    await Promise.all(roots.map(root => link.create(root, '', false)))
    if (this.#options.ownsRoot !== true) return
    await Promise.all(OPEN_TO_ALL.map(path => link.own(path)))
  }
}
