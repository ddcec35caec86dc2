/**
 * What a schedule was like, for those who ask whether schedules are worth their time.
 */
import type { Event, State } from '../../workers/protocol/state.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

export interface Figures {
  /** Moments that happened. */
  readonly events: number
  readonly virtualMs: number
  /** Terms that began. */
  readonly elections: number
  readonly acknowledged: number
  readonly faults: number
  /** Reads that an orchestrator answered with what it had kept. */
  readonly toldAgain: number
  /** Writes that were refused as harmful. */
  readonly refused: number
  /** Workers that threw their data away, and were copied anew. */
  readonly copies: number
  /** `from -> to on event`, and how often. */
  readonly transitions: ReadonlyMap<string, number>
}

export class FiguresOf {
  faults = 0
  toldAgain = 0
  /** Writes that were refused as harmful. */
  refused = 0
  copies = 0
  readonly #transitions = new Map<string, number>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  changed({ id, state }: Worker, from: State, event: Event['kind']): void {
    const name = `${from.role.kind} -> ${state.role.kind} on ${event}`
    this.#transitions.set(name, (this.#transitions.get(name) ?? 0) + 1)
    const term = 'term' in state.role ? state.role.term : state.term
    this.#world.ambush.happens('role', id)
    this.#world.note?.(`${id} ${name}, term ${term}, log ends at ${state.last.index}`)
  }

  tell(): Figures {
    const { timeline, zookeeper, judge } = this.#world
    return {
      events: timeline.count,
      virtualMs: timeline.nowMs,
      elections: zookeeper.now.node.state.term,
      acknowledged: judge.acknowledged,
      faults: this.faults,
      toldAgain: this.toldAgain,
      refused: this.refused,
      copies: this.copies,
      transitions: this.#transitions
    }
  }
}
