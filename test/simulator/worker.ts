/**
 * A simulated worker: the decision functions of production on a simulated database,
 * broker and ZooKeeper. It does what workers/loop.ts, publish.ts, consume.ts and
 * worker.ts do, on virtual time.
 */
import type { Wishes } from '../../wire/znodes.ts'
import { consumptionOf } from '../../workers/protocol/answers.ts'
import { agedIndex, marked } from '../../workers/protocol/forgetting.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import { beginning, type Event, type State } from '../../workers/protocol/state.ts'
import { handle } from '../../workers/protocol/step.ts'
import { type View, viewOf } from '../../workers/protocol/view.ts'
import type { Machine } from './cable.ts'
import { Database, type Disk } from './database.ts'
import { Effects } from './effects.ts'
import { Process } from './process.ts'
import { type Connection, RabbitClient } from './rabbitmq-client.ts'
import { Reads } from './reads.ts'
import { Registration } from './registration.ts'
import type { World } from './world.ts'
import { Writes } from './writes.ts'
import type { Shown } from './zookeeper.ts'
import { ZooKeeperClient } from './zookeeper-client.ts'

const FIGURES_MS = 1_000
const FORGET_MS = 100

/** How a worker's process ended by itself. */
export type End = 'lost' | 'startOver'

export class Worker extends Process {
  readonly id: string
  readonly pid: number
  readonly machine: Machine
  readonly disk: Disk
  readonly database: Database
  readonly zookeeper: ZooKeeperClient
  readonly registration: Registration
  readonly reads: Reads
  readonly strongReads: Reads
  readonly writes: Writes
  state: State
  view: View
  readonly #effects: Effects
  readonly #events: Event[] = []
  readonly #ended: (how: End) => void
  /** Of its monotonic clock, and the age of its data then. */
  readonly #began: { readonly atMs: number; readonly ranMs: number }
  #busy = false
  #wishes: Wishes | null = null

  constructor(
    world: World,
    of: { id: string; pid: number; disk: Disk; machine: Machine; ended: (how: End) => void }
  ) {
    super(world)
    this.id = of.id
    this.pid = of.pid
    this.disk = of.disk
    this.#ended = of.ended
    this.machine = of.machine
    this.#began = { atMs: this.#clockMs, ranMs: of.disk.marks.at(-1)?.ranMs ?? 0 }
    this.database = new Database(world, of.disk)
    const { nowMs } = world.timeline
    this.state = beginning({
      settings: world.plan.settings,
      self: { id: of.id, pid: of.pid },
      clusterId: 'sim',
      term: of.disk.term,
      stateVersion: of.disk.stateVersion,
      last: of.disk.last,
      nowMs
    })
    this.view = viewOf(this.state, nowMs)
    this.reads = new Reads(world, this, 'readQ')
    this.strongReads = new Reads(world, this, 'strongQ')
    this.writes = new Writes(world, this)
    this.#effects = new Effects(world, this)
    const listener = {
      expired: () => this.dispatch({ kind: 'sessionLost' }),
      contact: (up: boolean) => this.dispatch({ kind: 'contact', up }),
      stateChanged: () => this.dispatch({ kind: 'stateChanged' }),
      watches: true,
      shown: (shown: Shown) => this.#onShown(shown)
    }
    this.zookeeper = new ZooKeeperClient(world, { process: this, machine: of.machine, listener })
    this.registration = new Registration(world, this)
    new RabbitClient(world, {
      process: this,
      machine: of.machine,
      listener: {
        up: connection => this.#onUp(connection),
        down: () => this.dispatch({ kind: 'amqpDown' })
      }
    })
    this.registration.show(this.view, this.state)
    this.after(world.plan.tickMs * world.dice.next(), () => this.#tick())
    this.after(FIGURES_MS * world.dice.next(), () => this.#keepHouse())
    this.after(FORGET_MS * world.dice.next(), () => this.#forget())
  }

  get connection(): Connection | null {
    return this.#effects.connection
  }

  dispatch(event: Event): void {
    if (!this.alive) return
    this.#events.push(event)
    if (this.#busy) return
    this.#busy = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      if (this.alive) this.#run(next)
    }
    this.#busy = false
  }

  /** The process ends by itself: its database is lost, or its data has to go. */
  end(how: End): void {
    if (!this.alive) return
    this.world.note?.(`${this.id} ends: ${how}`)
    if (how === 'startOver') {
      this.world.figures.copies += 1
      this.world.judge.startedOver(this)
      this.zookeeper.close()
    }
    this.die()
    this.#ended(how)
  }

  #run(event: Event): void {
    const { world, state: from } = this
    const { nowMs } = world.timeline
    const { state, effects } = handle(from, event, nowMs)
    this.state = state
    this.view = viewOf(state, nowMs)
    if (from.role.kind !== state.role.kind) world.figures.changed(this, from, event.kind)
    if (from.diverged === null && state.diverged !== null) this.#onDiverged(state)
    for (const effect of effects) this.#effects.perform(effect)
    if (!this.alive) return
    world.judge.stepped(this)
    this.#follow()
  }

  #onDiverged({ diverged, last }: State): void {
    this.world.note?.(`${this.id} is diverged: ${diverged?.kind}, log ends at ${last.index}`)
    if (diverged?.kind === 'rows') this.world.judge.doubted(this)
  }

  /** What listens to the loop in production, in the same order. */
  #follow(): void {
    const { view, connection } = this
    this.reads.step()
    this.strongReads.step()
    this.writes.step(view)
    const wanted = consumptionOf(view, connection !== null)
    const leads = wanted.leads ? connection : null
    this.writes.follow(leads, view.term)
    this.strongReads.follow(leads, { term: view.term, giveBack: true })
    this.reads.follow(wanted.reads ? connection : null, { term: 0, giveBack: wanted.giveBack })
    this.registration.show(view, this.state)
  }

  #onUp(connection: Connection): void {
    const queue = `sync.${this.id}.${connection.n}`
    const ackQueue = `ack.${this.id}.${connection.n}`
    // Queues are declared one after the other before the link counts as up.
    this.after(this.world.delay() + this.world.delay(), () => {
      if (!connection.open || !connection.atBroker) return
      for (const name of [queue, ackQueue]) {
        const receive = (letter: unknown) =>
          this.dispatch({ kind: 'message', message: letter as Message })
        connection.inboxes.push(name)
        const inbox = { connection, receive, lastAtMs: 0 }
        this.world.rabbitmq.open(name, inbox, name === queue)
      }
      this.#effects.connection = connection
      this.dispatch({ kind: 'amqpUp', queue, ackQueue })
    })
  }

  #onShown({ peers, wishes, frozen }: Shown): void {
    if (frozen !== this.state.frozen) this.dispatch({ kind: 'frozen', ids: frozen })
    if (wishes !== this.#wishes) {
      this.#wishes = wishes
      this.dispatch({ kind: 'wishes', wishes })
    }
    this.dispatch({ kind: 'peers', peers })
    this.registration.seen(peers.has(this.id))
  }

  #tick(): void {
    this.#probe()
    this.dispatch({ kind: 'tick' })
    this.after(this.world.plan.tickMs, () => this.#tick())
  }

  /** A database that hangs is as bad as one that is gone, but says nothing. */
  #probe(): void {
    const { hungSinceMs } = this.database
    const { nowMs } = this.world.timeline
    const hangs =
      hungSinceMs !== null && nowMs - hungSinceMs > this.world.plan.settings.masterStallMs
    if (hangs === this.state.postgres) this.dispatch({ kind: 'postgres', answers: !hangs })
  }

  /** Monotonic, as in production. Its wall clock is `machine.jumpedMs` away from that. */
  get #clockMs(): number {
    return this.world.timeline.nowMs
  }

  /** Decides what may be forgotten. Nothing is: clients here send again for longer than is promised. */
  #forget(): void {
    const keepMs = this.world.plan.resultsKeepMs
    this.database.after(this.world.commitDelay(), () => {
      if (!this.runs || this.disk.full) return
      const { disk, view } = this
      const ranMs = this.#began.ranMs + this.#clockMs - this.#began.atMs
      const index = Math.min(view.keepAfter, disk.last.index)
      disk.marks = marked(disk.marks, { index, ranMs }, keepMs)
      this.world.judge.forgets(this, Math.min(index, agedIndex(disk.marks, { ranMs, keepMs })))
    })
    this.after(FORGET_MS, () => this.#forget())
  }

  #keepHouse(): void {
    this.registration.showFigures(this.state)
    const { plan, dice } = this.world
    if (plan.prunes && dice.chance(0.5)) {
      this.database.after(this.world.commitDelay(), () => {
        if (this.alive) this.disk.prune(Math.min(this.view.keepAfter, this.disk.last.index))
      })
    }
    this.after(FIGURES_MS, () => this.#keepHouse())
  }
}
