/**
 * What the rounds of a run come to: for each cell the median and the spread over the
 * rounds, and the ratio to a reference contestant, taken round by round. Pure.
 */
import type { Measurement } from '../measure.ts'
import type { Cell } from '../rounds.ts'

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export type Figure = 'perS' | 'p50Ms' | 'p99Ms'
const FIGURES = ['perS', 'p50Ms', 'p99Ms'] as const

export interface Line extends Readonly<Record<Figure, Spread>> {
  readonly workload: string
  readonly connections: number
  readonly contestant: string
  readonly failed: number
  /** To the reference in the same round; null for the reference itself. */
  readonly ratios: Readonly<Record<Figure, Spread>> | null
}

export function summarize(cells: readonly Cell[], reference: string): Line[] {
  return cells.map(cell => {
    const { workload, connections, contestant, rounds } = cell
    const other = cells.find(
      ({ workload: name, connections: count, contestant: who }) =>
        name === workload && count === connections && who === reference
    )
    const own = contestant === reference || other === undefined
    return {
      workload,
      connections,
      contestant,
      failed: rounds.reduce((sum, { failed }) => sum + failed, 0),
      ...figuresOf(figure => spreadOf(rounds.map(round => round[figure]))),
      ratios: own ? null : figuresOf(figure => spreadOf(ratiosOf(figure, rounds, other.rounds)))
    }
  })
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)] ?? Number.NaN
  const high = sorted[Math.ceil(middle)] ?? Number.NaN
  return {
    median: (low + high) / 2,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN
  }
}

function ratiosOf(
  figure: Figure,
  rounds: readonly Measurement[],
  reference: readonly Measurement[]
): number[] {
  return rounds.flatMap((round, i) => {
    const other = reference[i]
    return other === undefined ? [] : round[figure] / other[figure]
  })
}

const figuresOf = <T>(of: (figure: Figure) => T): Record<Figure, T> =>
  Object.fromEntries(FIGURES.map(figure => [figure, of(figure)])) as Record<Figure, T>
