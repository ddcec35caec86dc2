/**
 * Runs a piece of work whenever asked, never twice at once; what is asked while it
 * runs is done by one more run. A fault of the work is a bug and ends the process.
 */
export class Coalesced {
  readonly #work: () => Promise<void>
  #asked = false
  #running = false

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** May be called from anywhere: nothing runs before the caller is done. */
  ask(): void {
    this.#asked = true
    if (this.#running) return
    this.#running = true
    queueMicrotask(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#asked) {
      this.#asked = false
      await this.#work()
    }
    this.#running = false
  }
}
