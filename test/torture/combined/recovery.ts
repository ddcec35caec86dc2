/**
 * How long it took until all was well again, by kind of fault. Pure.
 */
import type { Planned } from './plan.ts'

/** One round, as it was carried out. */
export interface Round {
  readonly faults: readonly { readonly planned: Planned; readonly notDone: string | null }[]
  readonly atMs: number
  /** All faults are over. */
  readonly healedAtMs: number
  /** From then until writes and reads were answered by every orchestrator; null: never. */
  readonly servedAfterMs: number | null
  /** From then until one master led and all workers were in sync; null: never. */
  readonly wholeAfterMs: number | null
  /** The longest time without an acknowledged write, from the first fault on. */
  readonly writeGapMs: number
  readonly readGapMs: number
}

export interface Line {
  readonly fault: string
  readonly times: number
  readonly served: Figures
  readonly whole: Figures
  readonly writeGap: Figures
}

export interface Figures {
  readonly medianMs: number
  readonly worstMs: number
}

/** A round counts for each fault that was in it. */
export function linesOf(rounds: readonly Round[]): Line[] {
  const byFault = Map.groupBy(
    rounds.flatMap(round =>
      round.faults
        .filter(({ notDone }) => notDone === null)
        .map(({ planned }) => ({ fault: nameOf(planned), round }))
    ),
    ({ fault }) => fault
  )
  const lines = [...byFault].map(([fault, struck]) => ({
    fault,
    times: struck.length,
    served: figuresOf(struck.map(({ round }) => round.servedAfterMs)),
    whole: figuresOf(struck.map(({ round }) => round.wholeAfterMs)),
    writeGap: figuresOf(struck.map(({ round }) => round.writeGapMs))
  }))
  return lines.sort((a, b) => a.fault.localeCompare(b.fault))
}

export function tableOf(lines: readonly Line[]): string {
  const cell = ({ medianMs, worstMs }: Figures) => `${seconds(medianMs)} / ${seconds(worstMs)}`
  return [
    '| fault | times | served again | all in sync again | longest without a write |',
    '|---|---|---|---|---|',
    ...lines.map(
      ({ fault, times, served, whole, writeGap }) =>
        `| ${fault} | ${times} | ${cell(served)} | ${cell(whole)} | ${cell(writeGap)} |`
    )
  ].join('\n')
}

const nameOf = ({ kind, of }: Planned): string => (of === 'load' ? kind : `${kind}, ${of}`)

const seconds = (ms: number): string =>
  ms === Number.POSITIVE_INFINITY ? 'never' : (ms / 1_000).toFixed(1)

function figuresOf(measured: readonly (number | null)[]): Figures {
  const ms = measured.map(one => one ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  return { medianMs: ms[(ms.length - 1) >> 1] ?? 0, worstMs: ms.at(-1) ?? 0 }
}
