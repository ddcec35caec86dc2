/** The timeline of a run: throughput and latency, with faults and elections drawn in. */
import type { Mark } from '../../report/marks.ts'
import { type TimePanel, timeChart } from '../../report/time-chart.ts'
import type { Ran } from '../run.ts'

/** Told apart by the colour-blind too, on light and dark ground. */
const [VIOLET, AMBER, CYAN, RED, GREEN] = ['#8250df', '#d97706', '#0891b2', '#cf222e', '#2da44e']

export function timeline(title: string, ran: Ran): string {
  return timeChart(title, panelsOf(ran), marksOf(ran))
}

const panelsOf = ({ moments }: Ran): TimePanel[] => [
  {
    title: 'Throughput',
    unit: 'answers/s',
    lines: [
      {
        ...{ label: 'writes', color: VIOLET },
        points: moments.map(({ second, writesPerS }) => ({ second, value: writesPerS }))
      },
      {
        ...{ label: 'reads', color: CYAN },
        points: moments.map(({ second, readsPerS }) => ({ second, value: readsPerS }))
      }
    ]
  },
  {
    title: 'Latency',
    unit: 'ms',
    logarithmic: true,
    lines: [
      {
        ...{ label: 'p50', color: AMBER },
        points: moments.flatMap(({ second, p50Ms }) =>
          p50Ms === null ? [] : [{ second, value: p50Ms }]
        )
      },
      {
        ...{ label: 'p99', color: AMBER, dashed: true },
        points: moments.flatMap(({ second, p99Ms }) =>
          p99Ms === null ? [] : [{ second, value: p99Ms }]
        )
      }
    ]
  }
]

function marksOf({ faults, elections }: Ran): Mark[] {
  const struck = faults.filter(({ notDone }) => notDone === null)
  return [
    ...elections.map(
      ({ atS, term, durationMs }): Mark => ({
        ...{ row: 'elections', color: GREEN, second: atS },
        text: `term ${term}${durationMs === null ? '' : `, after ${durationMs} ms`}`
      })
    ),
    ...struck
      .toSorted((a, b) => a.fault.localeCompare(b.fault))
      .map(
        ({ fault, text, atS, lastsS, writeGapMs }): Mark => ({
          ...{ row: fault, color: RED, second: atS, toSecond: atS + lastsS },
          text: `${text}: no write for ${Math.round(writeGapMs)} ms`
        })
      )
  ]
}
