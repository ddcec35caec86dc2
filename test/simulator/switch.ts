/**
 * Turns the consuming of a queue on and off, as workers/consume.ts does: one start or
 * stop at a time, a start takes a while, and what is wanted last wins.
 */
import type { Connection } from './rabbitmq-client.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

interface Wish {
  readonly connection: Connection
  readonly term: number
}

export class Switch {
  readonly #world: World
  readonly #worker: Worker
  readonly #start: (connection: Connection, term: number) => void
  readonly #stop: () => void
  #wanted: Wish | null = null
  #present: Wish | null = null
  #turning = false

  constructor(
    world: World,
    worker: Worker,
    how: { start: (connection: Connection, term: number) => void; stop: () => void }
  ) {
    this.#world = world
    this.#worker = worker
    this.#start = how.start
    this.#stop = how.stop
  }

  set(connection: Connection | null, term: number): void {
    const { connection: before, term: termBefore } = this.#wanted ?? {}
    if (connection === (before ?? null) && (connection === null || term === termBefore)) return
    this.#wanted = connection === null ? null : { connection, term }
    if (!this.#turning) this.#turn()
  }

  #turn(): void {
    if (this.#present !== null && this.#present !== this.#wanted) {
      this.#stop()
      this.#present = null
    }
    const wish = this.#wanted
    if (wish === this.#present || wish === null) return
    this.#present = wish
    this.#turning = true
    // A channel is opened before anything is consumed.
    this.#worker.after(this.#world.delay(), () => {
      this.#turning = false
      if (wish.connection.open) this.#start(wish.connection, wish.term)
      if (this.#present !== this.#wanted) this.#turn()
    })
  }
}
