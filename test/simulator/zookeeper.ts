/**
 * A ZooKeeper for simulated processes: `/state` and its versions, ephemeral znodes of
 * the workers, sessions that expire in silence, watches, and servers that lag behind.
 * An operation may be carried out although its answer never comes.
 */
import { type ClusterState, NO_WISHES, type Wishes } from '../../wire/znodes.ts'
import type { Peer } from '../../workers/protocol/state.ts'
import type { World } from './world.ts'
import type { ZooKeeperClient } from './zookeeper-client.ts'

export interface Found {
  readonly state: ClusterState
  readonly version: number
}

/** What a server shows: all of it as of one moment. */
export interface Shown {
  readonly atMs: number
  readonly node: Found
  readonly wishes: Wishes
  /** Workers that `/config` names so. */
  readonly frozen: readonly string[]
  readonly peers: ReadonlyMap<string, Peer>
}

export class Session {
  expired = false
  /** Since when the server has not heard of its client. */
  silentSinceMs: number | null = null
}

/** What a ZooKeeper shows that was made anew: no cluster of anybody's here. */
const NOTHING: ClusterState = { clusterId: 'none', term: 0, master: null, inSync: [] }

/** Views older than this are asked for by no client. */
const KEPT = 64

export class ZooKeeper {
  up = true
  /** How often a request or an answer takes long. */
  slow = 0
  readonly clients = new Set<ZooKeeperClient>()
  readonly #world: World
  readonly #owners = new Map<string, Session>()
  readonly #silent = new Set<Session>()
  #views: Shown[]
  #members: readonly string[] = []

  constructor(world: World) {
    this.#world = world
    const node = { state: { clusterId: 'sim', term: 0, master: null, inSync: [] }, version: 0 }
    this.#views = [{ atMs: 0, node, wishes: NO_WISHES, frozen: [], peers: new Map() }]
  }

  /** Who counts, as `/state` said last, whether it is still there or not. */
  get members(): readonly string[] {
    return this.#members
  }

  get hasForgotten(): boolean {
    return this.now.node.state === NOTHING
  }

  get now(): Shown {
    return this.#views.at(-1) as Shown
  }

  /** What a server showed at a moment, but never what is older than `seen`. */
  shown(untilMs: number, seen: Shown): Shown {
    let at = this.#views.length - 1
    while (at > 0 && (this.#views[at] as Shown).atMs > untilMs) at -= 1
    const found = this.#views[at] as Shown
    return found.atMs >= seen.atMs ? found : seen
  }

  isSlow(): boolean {
    return this.slow > 0 && this.#world.dice.chance(this.slow)
  }

  compareAndSet(version: number, to: ClusterState): boolean {
    if (this.now.node.version !== version) return false
    this.#world.note?.(
      `/state v${version + 1}: term ${to.term}, master ${to.master}, in sync ${to.inSync}`
    )
    this.#members = to.inSync
    this.#show({ node: { state: to, version: version + 1 } })
    this.#world.judge.stateChanged()
    this.#world.ambush.happens('named', to.master)
    return true
  }

  /** Everything is gone, sessions too. Versions go on: what is still under way does not fit by chance. */
  forget(): void {
    const sessions = [...this.#silent, ...[...this.clients].map(({ session }) => session)]
    for (const session of sessions) this.expire(session)
    const node = { state: NOTHING, version: this.now.node.version + 1 }
    this.#show({ node, wishes: NO_WISHES, frozen: [] })
  }

  setWishes(wishes: Wishes): void {
    this.#show({ wishes })
  }

  setFrozen(frozen: readonly string[]): void {
    this.#show({ frozen })
  }

  /** Takes the place of what is there, whoever made it. */
  replaceZnode(id: string, session: Session, peer: Peer): void {
    this.#owners.set(id, session)
    this.#show({ peers: new Map(this.now.peers).set(id, peer) })
  }

  /** Changes what is there, whoever made it. @returns whether there was anything */
  writeZnode(id: string, peer: Peer): boolean {
    if (!this.#owners.has(id)) return false
    this.#show({ peers: new Map(this.now.peers).set(id, peer) })
    return true
  }

  removeZnode(id: string): void {
    if (!this.#owners.delete(id)) return
    const peers = new Map(this.now.peers)
    peers.delete(id)
    this.#show({ peers })
  }

  expire(session: Session): void {
    session.expired = true
    this.#silent.delete(session)
    for (const [id, owner] of [...this.#owners]) if (owner === session) this.removeZnode(id)
    for (const client of this.clients) if (client.session === session) client.contactChanged()
  }

  /** Whether the server hears of the client; unless it does, the session ends. */
  heard(session: Session, heard: boolean): void {
    if (heard) {
      session.silentSinceMs = null
      this.#silent.delete(session)
    } else if (session.silentSinceMs === null && !session.expired) this.#count(session)
  }

  #count(session: Session): void {
    const { timeline, plan } = this.#world
    const since = timeline.nowMs
    session.silentSinceMs = since
    this.#silent.add(session)
    timeline.after(plan.sessionTimeoutMs, () => {
      if (session.silentSinceMs === since && this.up && !session.expired) this.expire(session)
    })
  }

  stop(): void {
    this.up = false
    for (const client of this.clients) client.contactChanged()
  }

  /** It stood still, and others' clocks went on: every session has ended. */
  wake(): void {
    for (const { session } of this.clients) if (!session.expired) this.expire(session)
    for (const session of this.#silent) this.expire(session)
    this.start()
  }

  /** Sessions are on disk: each has its whole timeout again. */
  start(): void {
    this.up = true
    for (const session of this.#silent) this.#count(session)
    for (const client of this.clients) client.contactChanged()
  }

  #show(changes: Partial<Shown>): void {
    this.#views.push({ ...this.now, ...changes, atMs: this.#world.timeline.nowMs })
    if (this.#views.length > 2 * KEPT) this.#views = this.#views.slice(-KEPT)
    for (const client of this.clients) client.notify(changes.node !== undefined)
  }
}
