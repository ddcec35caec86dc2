/**
 * What the rounds of a run come to: for each cell the median and the spread over the
 * rounds, and the ratios to the contestants it is held against, taken round by round. Pure.
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
  /** By reference: to it in the same round. A reference has none to itself. */
  readonly ratios: Readonly<Record<string, Readonly<Record<Figure, Spread>>>>
}

export function summarize(cells: readonly Cell[], references: readonly string[]): Line[] {
  return cells.map(cell => {
    const { workload, connections, contestant, rounds } = cell
    const others = cells.filter(
      ({ workload: name, connections: count, contestant: who }) =>
        name === workload && count === connections && who !== contestant && references.includes(who)
    )
    const ratios = others.map(other => [
      other.contestant,
      figuresOf(figure => spreadOf(ratiosOf(figure, rounds, other.rounds)))
    ])
    return {
      workload,
      connections,
      contestant,
      failed: rounds.reduce((sum, { failed }) => sum + failed, 0),
      ...figuresOf(figure => spreadOf(rounds.map(round => round[figure]))),
      ratios: Object.fromEntries(ratios)
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
