/**
 * How many reads of one client may be on their way at once, of a kind that may hold up
 * others. It grows with each that was answered soon, and shrinks when one lasts or the workers
 * have too many: so is known without asking how many they take. Pure.
 */

/** After a worker had too many, its client's reads wait so long, or for the next answer. */
const PAUSE_MS = 50

export interface WindowSizes {
  readonly first: number
  readonly least: number
  readonly most: number
}

export class Window {
  readonly #sizes: WindowSizes
  #size: number
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  inFlight = 0

  constructor(sizes: WindowSizes) {
    this.#sizes = sizes
    this.#size = sizes.first
  }

  isOpen(nowMs: number): boolean {
    return this.inFlight < this.#size && nowMs >= this.#pausedUntilMs
  }

  answered(): void {
    this.#size = Math.min(this.#sizes.most, this.#size + 1)
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY
  }

  lasts(): void {
    this.#size = Math.max(this.#sizes.least, Math.floor(this.#size / 2))
  }

  busy(nowMs: number): void {
    this.lasts()
    this.#pausedUntilMs = nowMs + PAUSE_MS
  }
}
