/**
 * Whether the client still waits for its answer. What is done for one that has left is
 * taken from those who wait: near a service's capacity that alone would keep all waiting.
 */
import type { ServerResponse } from 'node:http'

export class Patience {
  #left: boolean
  #onLeft: (() => void) | undefined

  constructor(response: ServerResponse) {
    this.#left = response.destroyed
    response.once('close', () => {
      this.#left = !response.writableFinished
      if (this.#left) this.#onLeft?.()
    })
  }

  get left(): boolean {
    return this.#left
  }

  /** `abandon` is called when the client leaves before `work` is done, at once if it has left. */
  async during<T>(work: Promise<T>, abandon: () => void): Promise<T> {
    if (this.#left) abandon()
    this.#onLeft = abandon
    try {
      return await work
    } finally {
      this.#onLeft = undefined
    }
  }
}
