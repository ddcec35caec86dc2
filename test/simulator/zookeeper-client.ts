/**
 * A process's client of the simulated ZooKeeper, as platform/zookeeper.ts is to the
 * real one: operations answer or fail, expiry is told before a new session begins, and
 * after each reconnect everything watched is read again.
 */
import type { ClusterState } from '../../wire/znodes.ts'
import type { Machine } from './cable.ts'
import type { Attached, Process } from './process.ts'
import type { World } from './world.ts'
import { type Found, Session, type Shown, type ZooKeeper } from './zookeeper.ts'

const RETRY_MS = 50
/** What is told was true at most so long before. */
const MOMENT_MS = 1.5

export interface ZooKeeperListener {
  expired(): void
  /** It is reached again, or out of reach. */
  contact(up: boolean): void
  /** `/state` may have changed, or is to be read again. */
  stateChanged(): void
  /** Whether it is to be told what is there, at each change. */
  readonly watches: boolean
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
  #lastAtMs = 0
  #connecting = false
  #noticed = false
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
    if (this.#connected && (!this.#reachable || session.expired)) {
      this.#connected = false
      this.#process.do(() => this.#listener.contact(false))
    }
    if (!this.#connected) this.#connect()
  }

  /** Something has changed; a notice is lost with the connection, and made up for by the next. */
  notify(state: boolean): void {
    if (!this.#connected) return
    if (!state && this.#lagMs === 0) this.#refresh()
    else if (!state) this.#process.after(this.#lagMs, () => this.#refresh())
    else if (!this.#noticed) {
      this.#noticed = true
      this.#process.after(this.#lagMs + this.#world.delay(), () => {
        this.#noticed = false
        if (this.#connected) this.#listener.stateChanged()
      })
    }
  }

  /**
   * One exchange with the server, told of in one moment: its own is somewhere before.
   *
   * @param told with undefined where no answer came
   */
  read(told: (shown: Shown | undefined) => void): void {
    const { dice, timeline } = this.#world
    const askedMs = timeline.nowMs
    const { session } = this
    if (!this.#reachable || !this.#connected) {
      this.#unanswered(told)
      return
    }
    timeline.after(this.#world.delay() + this.#world.delay(), () => {
      if (!this.#reachable || session.expired) {
        this.#unanswered(told)
        return
      }
      const { nowMs } = timeline
      const earliestMs = Math.max(askedMs, nowMs - MOMENT_MS)
      const shown = this.#look(nowMs - dice.next() * (nowMs - earliestMs))
      // What was true when a process fell asleep may reach it when it wakes.
      if (this.#server.isSlow()) this.#process.after(this.#slowMs(), () => told(shown))
      else this.#process.do(() => told(shown))
    })
  }

  /** In time for the operation to count as answered. */
  #slowMs(): number {
    return this.#world.dice.next() * 0.5 * this.#world.plan.sessionTimeoutMs
  }

  #unanswered(told: (shown: undefined) => void): void {
    const forMs = this.#connected ? this.#world.plan.sessionTimeoutMs / 2 : 1
    this.#process.after(forMs, () => told(undefined))
  }

  /** Of a request or an answer: at times far longer than anybody waits. */
  #delay(): number {
    const slowMs = this.#server.isSlow() ? this.#world.dice.between(5, 800) : 0
    return this.#world.delay() + slowMs
  }

  /** A server carries out what one client asks of it in the order of the asking. */
  #inOrder(): number {
    const { nowMs } = this.#world.timeline
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + this.#delay())
    return this.#lastAtMs - nowMs
  }

  #look(atMs: number): Shown {
    this.#seen = this.#server.shown(atMs - this.#lagMs, this.#seen)
    return this.#seen
  }

  /**
   * Sends a change to the server. It may be carried out late, and without an answer.
   *
   * @param done whether an answer came
   */
  change(run: () => void, done: (answered: boolean) => void): void {
    const { timeline, plan } = this.#world
    const { session } = this
    const { out, back } = this.#machine.zookeeper
    let open = true
    const settle = (answered: boolean) => {
      if (!open) return
      open = false
      done(answered)
    }
    const fail = () => this.#process.after(plan.sessionTimeoutMs / 2, () => settle(false))
    if (!this.#connected) {
      this.#process.after(1, () => settle(false))
      return
    }
    if (!this.#reachable || this.#server.slow > 0) fail()
    out.pass(() =>
      timeline.after(this.#inOrder(), () => {
        if (!this.#server.up || session.expired) {
          fail()
          return
        }
        run()
        this.#seen = this.#server.now
        if (back.blocked || this.#server.slow > 0) fail()
        back.pass(() => this.#process.after(this.#delay(), () => settle(true)))
      })
    )
  }

  /** Sent again, unchanged, until an answer comes; then `/state` itself says what became of it. */
  compareAndSet(
    change: { version: number; to: ClusterState },
    settled: (node: Found, beganMs: number) => void
  ): void {
    const { version, to } = change
    const { timeline } = this.#world
    const send = () =>
      this.change(
        () => this.#server.compareAndSet(version, to),
        answered => (answered ? read() : this.#process.after(RETRY_MS, send))
      )
    const read = () => {
      const beganMs = timeline.nowMs
      this.read(shown => {
        // Won or lost, that version is gone: a server that still shows it is behind.
        if (shown === undefined || shown.node.version <= version) {
          this.#process.after(RETRY_MS, read)
        } else settled(shown.node, beganMs)
      })
    }
    send()
  }

  #connect(): void {
    if (this.#connecting) return
    this.#connecting = true
    const { dice, plan } = this.#world
    // Who has tried in vain for long tries again more seldom.
    const withinMs = dice.chance(0.25) ? plan.sessionTimeoutMs : 20
    this.#process.after(1 + dice.next() * withinMs, () => {
      this.#connecting = false
      if (this.#connected || !this.#reachable) return
      if (this.session.expired) {
        this.#world.note?.(`${this.#machine.name} learns that its session has expired`)
        this.session = new Session()
        this.#listener.expired()
      }
      this.#connected = true
      this.#listener.contact(true)
      this.#listener.stateChanged()
      this.#refresh()
    })
  }

  /** One reading at a time; a burst of changes is told as one. */
  #refresh(): void {
    if (!this.#listener.watches) return
    this.#refreshAgain = true
    if (this.#refreshing) return
    this.#refreshing = true
    this.#refreshAgain = false
    this.read(shown => {
      this.#refreshing = false
      if (shown !== undefined) this.#listener.shown(shown)
      if (this.#refreshAgain && this.#connected) this.#refresh()
    })
  }
}
