/**
 * How many requests of each client may be on their way at once: as many as are answered soon.
 * Pure.
 * Invariant: what a client has on its way is answered long before its deadline, however slow its
 * requests are. Else each of them would be executed just before nobody waits for it any more,
 * and under overload all work would be done in vain.
 */

/** What is on its way for longer waits behind too much of its own client. */
const LATE_MS = 1_000
/** Of a client of which nothing is known. It grows by one with each answer. */
const FIRST = 32
const LEAST = 4
/** Beyond, those that were not answered for longest are forgotten. */
const CLIENTS_MAX = 10_000

interface Window {
  readonly size: number
  /** What was sent before says nothing about the size that it has since. */
  readonly shrunkAtMs: number
}

export interface Took {
  readonly sentAtMs: number
  readonly nowMs: number
  /** Of this client, the request included. */
  readonly inFlight: number
  readonly most: number
}

export class ClientWindows {
  readonly #windows = new Map<string, Window>()

  sizeOf(client: string, most: number): number {
    if (!Number.isFinite(most)) return most
    return Math.min(most, this.#windows.get(client)?.size ?? FIRST)
  }

  /** A request was answered, or given up. */
  took(client: string, { sentAtMs, nowMs, inFlight, most }: Took): void {
    const { size, shrunkAtMs } = this.#windows.get(client) ?? { size: FIRST, shrunkAtMs: 0 }
    if (nowMs - sentAtMs <= LATE_MS) {
      this.#keep(client, { size: Math.min(most, size + 1), shrunkAtMs })
    } else if (sentAtMs >= shrunkAtMs) {
      const half = Math.floor(Math.min(size, inFlight) / 2)
      this.#keep(client, { size: Math.max(LEAST, half), shrunkAtMs: nowMs })
    }
  }

  #keep(client: string, window: Window): void {
    this.#windows.delete(client)
    this.#windows.set(client, window)
    const [eldest] = this.#windows.keys()
    if (this.#windows.size > CLIENTS_MAX && eldest !== undefined) this.#windows.delete(eldest)
  }
}
