/**
 * Follows the positions of the application's sequences, which are in no row. They
 * move outside of transactions, so every position that differs from what the log
 * says goes into the next entry. After a start nothing is known, and the first
 * transaction names them all.
 */
import type { Change } from '../entry.ts'
import { literal, publicName } from './catalog.ts'
import type { Sink } from './steps.ts'

export type SequenceChange = Extract<Change, { op: 'sequence' }>

/** One statement that tells the position of each; undefined when there are none. */
export function positionsText(sequences: readonly string[]): string | undefined {
  if (sequences.length === 0) return undefined
  return sequences
    .map(name => `select ${literal(name)}, last_value::text, is_called from ${publicName(name)}`)
    .join(' union all ')
}

export class SequencePositions implements Sink {
  readonly #logged = new Map<string, string>()
  #moved: SequenceChange[] = []

  /** To be called before each reading of positions. */
  restart(): void {
    this.#moved = []
  }

  fields(): void {
    this.restart()
  }

  row([sequence, last, called]: readonly (string | null)[]): void {
    const change: SequenceChange = {
      op: 'sequence',
      sequence: sequence ?? '',
      last: last ?? '',
      called: called === 't'
    }
    if (this.#logged.get(change.sequence) !== positionOf(change)) this.#moved.push(change)
  }

  get moved(): readonly SequenceChange[] {
    return this.#moved
  }

  /** The next reading names them all: somebody follows whose own may have run ahead. */
  forget(): void {
    this.#logged.clear()
  }

  /** What moved stands in the log now. */
  logged(): void {
    for (const change of this.#moved) this.#logged.set(change.sequence, positionOf(change))
    this.#moved = []
  }
}

const positionOf = (change: SequenceChange) => `${change.last} ${change.called}`
