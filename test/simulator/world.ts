/**
 * Virtual time, a ZooKeeper and a broker for simulated workers. Everything that
 * happens is a moment on one timeline; what is random comes from the dice.
 */
import type { ClusterState } from '../../platform/wire/znodes.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import type { Peer } from '../../workers/protocol/state.ts'
import type { Dice } from './random.ts'

interface Moment {
  readonly atMs: number
  readonly order: number
  readonly happen: () => void
}

/** What a worker shows to the world: the world calls it, later. */
export interface Inhabitant {
  readonly id: string
  receive(message: Message, queue: string): void
  stateChanged(): void
  peersChanged(peers: ReadonlyMap<string, Peer>): void
}

export class World {
  readonly dice: Dice
  nowMs = 0
  /** Workers that called their sound rows doubtful. */
  falseDivergences = 0
  state: { state: ClusterState; version: number } = {
    state: { clusterId: 'sim', term: 0, master: null, inSync: [] },
    version: 0
  }
  readonly znodes = new Map<string, Peer>()
  readonly inhabitants = new Map<string, Inhabitant>()
  /** Message faults, as probabilities. */
  readonly faults = { lose: 0, double: 0, slow: 0 }
  readonly cut = new Set<string>()
  readonly trace: string[] = []
  #timeline: Moment[] = []
  #order = 0

  constructor(dice: Dice) {
    this.dice = dice
  }

  note(text: string): void {
    if (this.trace.length < 20_000) this.trace.push(`${this.nowMs.toFixed(1).padStart(9)} ${text}`)
  }

  after(delayMs: number, happen: () => void): void {
    const moment = { atMs: this.nowMs + delayMs, order: this.#order++, happen }
    let low = 0
    let high = this.#timeline.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#timeline[middle] as Moment
      if (other.atMs > moment.atMs || (other.atMs === moment.atMs && other.order > moment.order)) {
        low = middle + 1
      } else high = middle
    }
    this.#timeline.splice(low, 0, moment)
  }

  /** The next moment. @returns false when `untilMs` is reached first */
  step(untilMs: number): boolean {
    const next = this.#timeline.at(-1)
    if (next === undefined || next.atMs > untilMs) return false
    this.#timeline.pop()
    this.nowMs = next.atMs
    next.happen()
    return true
  }

  #delay(): number {
    if (this.faults.slow > 0 && this.dice.chance(this.faults.slow))
      return this.dice.between(20, 1_500)
    return 0.2 + this.dice.next() * 2
  }

  /** To one queue, or to all workers but the sender. Queue names are `<worker>#<connection>`. */
  send(from: string, to: string | { exchange: 'sync' }, message: Message): void {
    if (this.cut.has(from)) return
    const targets =
      typeof to === 'string'
        ? [to]
        : [...this.inhabitants.keys()].filter(id => id !== from).map(id => `${id}#`)
    for (const target of targets) {
      if (this.dice.chance(this.faults.lose)) continue
      const copies = this.dice.chance(this.faults.double) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        this.after(this.#delay(), () => {
          const id = target.slice(0, target.indexOf('#'))
          if (!this.cut.has(id)) this.inhabitants.get(id)?.receive(message, target)
        })
      }
    }
  }

  compareAndSet(version: number, to: ClusterState): boolean {
    if (this.state.version !== version) return false
    this.state = { state: to, version: version + 1 }
    this.note(`/state v${version + 1} ${JSON.stringify(to)}`)
    this.#tell(inhabitant => inhabitant.stateChanged())
    return true
  }

  setZnode(id: string, peer: Peer | null): void {
    if (peer === null) this.znodes.delete(id)
    else this.znodes.set(id, peer)
    this.#tell(inhabitant => inhabitant.peersChanged(new Map(this.znodes)))
  }

  #tell(news: (inhabitant: Inhabitant) => void): void {
    for (const id of this.inhabitants.keys()) {
      this.after(this.#delay(), () => {
        const inhabitant = this.inhabitants.get(id)
        if (inhabitant !== undefined) news(inhabitant)
      })
    }
  }
}
