/**
 * Faults that wait for their moment: what strikes when something is half done is not
 * left to chance.
 */

export type Moment =
  /** A transaction is on disk, and its worker has not been told. */
  | 'committed'
  /** A transaction has begun. */
  | 'working'
  /** A reading of `/state` has begun. */
  | 'reading'
  /** A change of `/state` is on its way. */
  | 'changing'
  /** `/state` has changed; whoever did it does not know yet. */
  | 'named'
  /** A copy of a database begins: of the donor, and of who makes it. */
  | 'copying'
  | 'joining'
  /** A worker has become leader, candidate, ... */
  | 'role'

export class Ambush {
  #waiting: { readonly moment: Moment; readonly strike: (id: string) => void } | null = null

  lay(moment: Moment, strike: (id: string) => void): void {
    this.#waiting = { moment, strike }
  }

  lift(): void {
    this.#waiting = null
  }

  /** @param id the worker to which it happens */
  happens(moment: Moment, id: string | null): void {
    const waiting = this.#waiting
    if (waiting === null || waiting.moment !== moment || id === null) return
    this.#waiting = null
    waiting.strike(id)
  }
}
