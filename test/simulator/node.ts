/**
 * A simulated worker: the production decision functions on a simulated database
 * and the simulated world. What survives a crash is `disk`; the rest is one process.
 */
import { checksumOf, type Entry, ORIGIN, type Position, positionOf } from '../../workers/entry.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import {
  beginning,
  type Effect,
  type Event,
  type Peer,
  type Settings,
  type State
} from '../../workers/protocol/state.ts'
import { handle } from '../../workers/protocol/step.ts'
import { type View, viewOf } from '../../workers/protocol/view.ts'
import type { Inhabitant, World } from './world.ts'

export interface Disk {
  term: number
  readonly log: Entry[]
  /** Index of a request's entry: what the table of results is to production. */
  readonly results: Map<string, number>
}

export interface Write {
  readonly id: string
  readonly askedMs: number
}

const TICK_MS = 20

export class Node implements Inhabitant {
  readonly id: string
  readonly disk: Disk
  state: State
  alive = true
  paused = false
  /** In the log here and not known to be committed: the client has no answer yet. */
  held: { index: number; writes: readonly Write[] }[] = []
  readonly #world: World
  readonly #onAnswer: (node: Node, write: Write, index: number) => void
  #connection = 0
  #shown = ''
  #missed: (() => void)[] = []
  #cancelled = false

  constructor(options: {
    id: string
    pid: number
    disk: Disk
    settings: Settings
    world: World
    onAnswer: (node: Node, write: Write, index: number) => void
  }) {
    this.id = options.id
    this.disk = options.disk
    this.#world = options.world
    this.#onAnswer = options.onAnswer
    this.state = beginning({
      settings: options.settings,
      self: { id: options.id, pid: options.pid },
      clusterId: 'sim',
      term: options.disk.term,
      stateVersion: 0,
      last: this.#last(),
      nowMs: options.world.nowMs
    })
    this.#later(1, () => this.connect())
    this.#later(1, () => this.peersChanged(new Map(this.#world.znodes)))
    this.#tick()
  }

  get view(): View {
    return viewOf(this.state, this.#world.nowMs)
  }

  connect(): void {
    this.#connection += 1
    const queue = `${this.id}#${this.#connection}`
    this.dispatch({ kind: 'amqpUp', queue, ackQueue: `${queue}.ack` })
  }

  disconnect(): void {
    this.dispatch({ kind: 'amqpDown' })
  }

  crash(): void {
    this.alive = false
    this.#world.inhabitants.delete(this.id)
  }

  pause(forMs: number): void {
    this.paused = true
    this.#world.after(forMs, () => {
      this.paused = false
      for (const run of this.#missed.splice(0)) if (this.alive) run()
    })
  }

  receive(message: Message): void {
    this.#later(0, () => this.dispatch({ kind: 'message', message }))
  }

  stateChanged(): void {
    this.#later(0, () => this.dispatch({ kind: 'stateChanged' }))
  }

  peersChanged(peers: ReadonlyMap<string, Peer>): void {
    this.#later(0, () => this.dispatch({ kind: 'peers', peers }))
  }

  expireSession(): void {
    this.#world.setZnode(this.id, null)
    this.#later(this.#world.dice.between(1, 200), () => {
      this.dispatch({ kind: 'sessionLost' })
      this.#shown = ''
      this.#show()
    })
  }

  /** A client's batch, if this node leads and is idle. */
  offer(writes: readonly Write[]): boolean {
    if (!this.alive || this.paused || !this.view.leads || this.state.working !== null) return false
    const { role } = this.state
    if (role.kind !== 'leader') return false
    const { term } = role
    this.dispatch({ kind: 'executing' })
    this.#work(() => {
      if (this.disk.term > term) return this.#refused('term')
      const fresh = writes.filter(write => !this.disk.results.has(write.id))
      const entries = this.#append(
        fresh.map(write => write.id),
        term
      )
      const index = Math.max(0, ...writes.map(w => this.#indexOf(w.id)))
      this.held.push({ index, writes })
      return { kind: 'executed', term, entries }
    })
    return true
  }

  dispatch(event: Event): void {
    if (!this.alive) return
    const { nowMs } = this.#world
    const before = this.state.role.kind
    const next = handle(this.state, event, nowMs)
    this.state = next.state
    const { kind } = this.state.role
    if (kind !== before) this.#world.note(`${this.id} ${before} -> ${kind} on ${event.kind}`)
    for (const effect of next.effects) this.#perform(effect)
    this.#show()
    this.#answer()
  }

  #answer(): void {
    const { view } = this
    if (this.state.role.kind !== 'leader') this.held = []
    for (const held of this.held.filter(({ index }) => index <= view.commitIndex)) {
      for (const write of held.writes) this.#onAnswer(this, write, this.#indexOf(write.id))
    }
    this.held = this.held.filter(({ index }) => index > view.commitIndex)
  }

  #indexOf(id: string): number {
    return this.disk.results.get(id) ?? 0
  }

  #last(): Position {
    const newest = this.disk.log.at(-1)
    return newest === undefined ? ORIGIN : positionOf(newest)
  }

  #store(entry: Entry): void {
    this.disk.log.push(entry)
    if (entry.requestId !== '') this.disk.results.set(entry.requestId, entry.index)
  }

  #append(ids: readonly string[], term: number): Entry[] {
    return ids.map(requestId => {
      const { index, checksum } = this.#last()
      const bare = { index: index + 1, term, requestId, commandHash: '', status: 200 }
      const whole = { ...bare, changes: '[]', result: '[]' }
      const entry = { ...whole, checksum: checksumOf(checksum, whole) }
      this.#store(entry)
      return entry
    })
  }

  /** One transaction: it ends, is cancelled, or the process dies before or after its commit. */
  #work(commit: () => Event): void {
    this.#cancelled = false
    const run = () => {
      const event: Event = this.#cancelled ? this.#refused('cancelled') : commit()
      this.#later(this.#world.dice.next(), () => this.dispatch(event))
    }
    this.#later(0.3 + this.#world.dice.next() * 3, run)
  }

  #perform(effect: Effect): void {
    const { dice } = this.#world
    switch (effect.do) {
      case 'readState':
        this.#readState()
        break
      case 'cas':
        this.#compareAndSet(effect)
        break
      case 'remember':
        this.#later(dice.next() * 2, () => {
          this.disk.term = Math.max(this.disk.term, effect.term)
          this.dispatch({ kind: 'remembered', term: effect.term, stateVersion: 0 })
        })
        break
      case 'beginTerm':
        this.#work(() => this.#beginTerm(effect.term))
        break
      case 'apply':
        this.#applyInParts(effect)
        break
      case 'cancelWork':
        this.#cancelled = true
        break
      case 'compare':
        this.#compare(effect)
        break
      case 'send':
        this.#world.send(this.id, effect.to, effect.message)
        break
      case 'serve':
        this.#serve(effect)
        break
      case 'startOver':
        this.#world.note(`${this.id} starts over: ${effect.why}`)
        this.crash()
        this.#world.setZnode(this.id, null)
        break
    }
  }

  /** Once sent it may be carried out although its sender is dead or frozen by then. */
  #compareAndSet(effect: Extract<Effect, { do: 'cas' }>): void {
    const { dice } = this.#world
    const slow = dice.chance(0.1)
    this.#world.after(slow ? dice.between(5, 800) : dice.next() * 3, () => {
      this.#world.compareAndSet(effect.version, effect.to)
      const beganMs = this.#world.nowMs
      const node = this.#world.state
      this.#later(slow ? dice.between(5, 800) : dice.next() * 3, () =>
        this.dispatch({ kind: 'casSettled', node, beganMs })
      )
    })
  }

  #refused(why: 'term' | 'rows' | 'cancelled'): Event {
    return { kind: 'refused', why, last: this.#last() }
  }

  #beginTerm(term: number): Event {
    if (this.disk.term >= term) return this.#refused('term')
    this.disk.term = term
    const [entry] = this.#append([''], term)
    return { kind: 'termBegun', term, entry: entry as Entry }
  }

  #compare(effect: Extract<Effect, { do: 'compare' }>): void {
    const at = this.disk.log[effect.index - 1]
    if (at === undefined) return
    const equal = at.checksum === effect.checksum
    this.#later(1, () => this.dispatch({ kind: 'compared', term: effect.term, equal }))
  }

  #serve(effect: Extract<Effect, { do: 'serve' }>): void {
    const entries = this.disk.log.slice(effect.after, effect.after + 200)
    const found = effect.after === 0 ? ORIGIN : this.disk.log[effect.after - 1]
    const prev =
      found === undefined ? this.#last() : { index: found.index, checksum: found.checksum }
    const message = { ...effect.append, prev, entries }
    this.#later(1, () => this.#world.send(this.id, effect.to, message))
  }

  #apply(effect: Extract<Effect, { do: 'apply' }>): Event {
    if (this.disk.term > effect.term) return this.#refused('term')
    for (const entry of effect.entries) {
      const { index, checksum } = this.#last()
      if (entry.index !== index + 1 || checksumOf(checksum, entry) !== entry.checksum) {
        this.#world.note(`${this.id} cannot apply ${entry.index} behind ${index}`)
        this.#world.falseDivergences += 1
        return this.#refused('rows')
      }
      this.#store(entry)
    }
    return { kind: 'applied', term: effect.term, last: this.#last() }
  }

  /** Long work is several transactions: it can be cut off when some of them are committed. */
  #applyInParts(effect: Extract<Effect, { do: 'apply' }>): void {
    const { dice } = this.#world
    const { entries } = effect
    if (entries.length < 2 || !dice.chance(0.3)) {
      this.#work(() => this.#apply(effect))
      return
    }
    const middle = dice.between(1, entries.length - 1)
    const apply = (part: readonly Entry[]) =>
      this.#cancelled ? this.#refused('cancelled') : this.#apply({ ...effect, entries: part })
    const end = (event: Event) => this.#later(dice.next(), () => this.dispatch(event))
    this.#cancelled = false
    this.#later(0.3 + dice.next() * 3, () => {
      const first = apply(entries.slice(0, middle))
      if (first.kind !== 'applied') return end(first)
      this.#later(0.3 + dice.next() * 30, () => end(apply(entries.slice(middle))))
    })
  }

  #readState(): void {
    const { dice } = this.#world
    const beganMs = this.#world.nowMs
    this.#later(dice.next() * 2, () => {
      const node = this.#world.state
      this.#later(dice.next() * 2, () => this.dispatch({ kind: 'stateRead', node, beganMs }))
    })
  }

  #show(): void {
    const { role, term, diverged } = this.view
    const shown = JSON.stringify([role, term, diverged, this.state.amqp])
    if (shown === this.#shown) return
    this.#shown = shown
    const { index, term: lastTerm } = this.state.last
    const peer: Peer = {
      pid: this.state.self.pid,
      role,
      term,
      last: { index, term: lastTerm },
      reachesAmqp: this.state.amqp,
      diverged,
      yields: this.view.yields,
      needsFrom: null
    }
    this.#later(this.#world.dice.next() * 2, () => {
      if (shown !== this.#shown) return // later data is written instead, as in production
      this.#world.setZnode(this.id, peer)
      if (role === 'candidate') this.dispatch({ kind: 'published', term })
    })
  }

  #tick(): void {
    this.#later(TICK_MS, () => {
      this.dispatch({ kind: 'tick' })
      this.#tick()
    })
  }

  /** Happens in this process only: never after its death, and late when it is frozen. */
  #later(delayMs: number, run: () => void): void {
    this.#world.after(delayMs, () => {
      if (!this.alive) return
      if (this.paused) this.#missed.push(run)
      else run()
    })
  }
}
