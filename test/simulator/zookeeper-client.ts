/**
 * A process's client of the simulated ZooKeeper, as platform/zookeeper.ts is to the
 * real one: operations answer or fail, expiry is told before a new session begins, and
 * after each reconnect everything watched is read again.
 */
import type { ClusterState } from '../../platform/wire/znodes.ts'
import type { Machine } from './cable.ts'
import type { Attached, Process } from './process.ts'
import type { World } from './world.ts'
import { type Found, Session, type Shown, type ZooKeeper } from './zookeeper.ts'

const RETRY_MS = 50

export interface ZooKeeperListener {
  expired(): void
  /** `/state` may have changed, or is to be read again. */
  stateChanged(): void
  shown(shown: Shown): void
}

export class ZooKeeperClient implements Attached {
  session = new Session()
  readonly #world: World
  readonly #process: Process
  readonly #machine: Machine
  readonly #listener: ZooKeeperListener
  readonly #lagMs: number
  #seen: Shown
  #connecting = false
  #connected = true
  #refreshing = false
  #refreshAgain = false

  constructor(
    world: World,
    owner: { process: Process; machine: Machine; listener: ZooKeeperListener }
  ) {
    this.#world = world
    this.#process = owner.process
    this.#machine = owner.machine
    this.#listener = owner.listener
    this.#lagMs = world.dice.chance(0.5) ? world.plan.lagMs : 0
    this.#seen = this.#server.now
    this.#server.clients.add(this)
    this.#process.attach(this)
    this.#machine.zookeeper.users.add(this)
    this.#connected = false
    this.contactChanged()
  }

  get #server(): ZooKeeper {
    return this.#world.zookeeper
  }

  get connected(): boolean {
    return this.#connected
  }

  get #reachable(): boolean {
    return this.#server.up && this.#machine.zookeeper.whole
  }

  /** Ends the session at once, as a clean exit does. */
  close(): void {
    if (this.#reachable) this.#server.expire(this.session)
  }

  contactChanged(): void {
    const { session } = this
    const heard = this.#process.runs && !this.#machine.zookeeper.out.blocked
    this.#server.heard(session, heard)
    if (!this.#process.alive) {
      this.#server.clients.delete(this)
      this.#machine.zookeeper.users.delete(this)
      return
    }
    if (!this.#reachable || session.expired) this.#connected = false
    if (!this.#connected) this.#connect()
  }

  /** Something has changed; a notice is lost with the connection, and made up for by the next. */
  notify(state: boolean): void {
    if (!this.#connected) return
    this.#process.after(this.#world.delay(), () => {
      if (!this.#connected) return
      if (state) this.#listener.stateChanged()
      else this.#refresh()
    })
  }

  /**
   * @param run at the server, on what it shows
   * @param done with undefined where no answer came: then it may have been carried out
   */
  ask<T>(run: (shown: Shown) => T, done: (answer: T | undefined) => void): void {
    const { timeline, plan } = this.#world
    const { session } = this
    let open = true
    const settle = (answer: T | undefined) => {
      if (!open) return
      open = false
      done(answer)
    }
    const fail = () => this.#process.after(plan.sessionTimeoutMs / 2, () => settle(undefined))
    if (!this.#connected) {
      this.#process.after(1, () => settle(undefined))
      return
    }
    const { out, back } = this.#machine.zookeeper
    if (out.blocked || back.blocked || !this.#server.up) fail()
    out.pass(() =>
      timeline.after(this.#world.delay(), () => {
        if (!this.#server.up || session.expired) return fail()
        const answer = run(this.#read())
        if (back.blocked) fail()
        back.pass(() => this.#process.after(this.#world.delay(), () => settle(answer)))
      })
    )
  }

  /** Sent again, unchanged, until an answer comes; then `/state` itself says what became of it. */
  compareAndSet(
    change: { version: number; to: ClusterState },
    settled: (node: Found, beganMs: number) => void
  ): void {
    const { version, to } = change
    const sent = () =>
      this.ask(
        () => {
          this.#server.compareAndSet(version, to)
          this.#seen = this.#server.now
          return true
        },
        answer => (answer === undefined ? this.#process.after(RETRY_MS, sent) : read())
      )
    const read = () => {
      const beganMs = this.#world.timeline.nowMs
      this.ask(
        shown => shown.node,
        node => {
          if (node === undefined || node.version <= version) this.#process.after(RETRY_MS, read)
          else settled(node, beganMs)
        }
      )
    }
    sent()
  }

  #read(): Shown {
    this.#seen = this.#server.shown(this.#lagMs, this.#seen)
    return this.#seen
  }

  #connect(): void {
    if (this.#connecting) return
    this.#connecting = true
    this.#process.after(1 + this.#world.dice.next() * 20, () => {
      this.#connecting = false
      if (this.#connected || !this.#reachable) return
      if (this.session.expired) {
        this.#world.note?.(`${this.#machine.name} learns that its session has expired`)
        this.session = new Session()
        this.#listener.expired()
      }
      this.#connected = true
      this.#listener.stateChanged()
      this.#refresh()
    })
  }

  /** One reading at a time; a burst of changes is told as one. */
  #refresh(): void {
    this.#refreshAgain = true
    if (this.#refreshing) return
    this.#refreshing = true
    this.#refreshAgain = false
    this.ask(
      shown => shown,
      shown => {
        this.#refreshing = false
        if (shown !== undefined) this.#listener.shown(shown)
        if (this.#refreshAgain && this.#connected) this.#refresh()
      }
    )
  }
}
