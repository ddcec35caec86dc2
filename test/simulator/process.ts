/**
 * What every simulated process has in common: it can die, and it can freeze. What
 * would have happened in it while it was frozen happens when it wakes, late.
 */
import type { World } from './world.ts'

export abstract class Process {
  alive = true
  paused = false
  protected readonly world: World
  readonly #missed: (() => void)[] = []
  readonly #connections: Attached[] = []

  constructor(world: World) {
    this.world = world
  }

  get runs(): boolean {
    return this.alive && !this.paused
  }

  /** A client of a server, which is to be told when this process freezes, wakes or dies. */
  attach(connection: Attached): void {
    this.#connections.push(connection)
  }

  /** In this process only: never after its death, and late when it is frozen. */
  after(delayMs: number, run: () => void): void {
    this.world.timeline.after(delayMs, () => this.do(run))
  }

  /** After what is at times no time at all. */
  soon(run: () => void): void {
    if (this.world.dice.chance(0.5)) this.do(run)
    else this.after(this.world.delay(), run)
  }

  do(run: () => void): void {
    if (!this.alive) return
    if (this.paused) this.#missed.push(run)
    else run()
  }

  die(): void {
    this.alive = false
    this.#missed.length = 0
    for (const connection of this.#connections) connection.contactChanged()
  }

  pause(): void {
    this.paused = true
    for (const connection of this.#connections) connection.contactChanged()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    const missed = this.#missed.splice(0)
    for (const connection of this.#connections) connection.contactChanged()
    for (const run of missed) this.do(run)
  }
}

export interface Attached {
  contactChanged(): void
}
