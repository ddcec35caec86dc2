/** When the lanes are looked at: soon after something has changed, and when what gathers has waited long enough. */

export class Turns implements Disposable {
  readonly #look: (nowMs: number) => void
  #isSoon = false
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(look: (nowMs: number) => void) {
    this.#look = look
  }

  /** After all sockets that are readable now were read, so that they share a batch. */
  soon(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    setImmediate(() => {
      this.#isSoon = false
      this.#look(performance.now())
    })
  }

  /** A time that has passed is none. */
  at(atMs: number, nowMs: number): void {
    if (atMs <= nowMs || atMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    const due = () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY
      this.#look(performance.now())
    }
    this.#timer = setTimeout(due, atMs - nowMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
