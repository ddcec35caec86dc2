/** The plot of a ramp: load, replicas and latency, below each other. */
import type { TimePanel } from '../report/time-chart.ts'
import type { Ramp } from './ramp.ts'

/** Told apart by the colour-blind too, on light and dark ground. */
const [VIOLET, AMBER, CYAN] = ['#8250df', '#d97706', '#0891b2']

export const panelsOf = ({ asked, load, replicas }: Ramp): TimePanel[] => [
  {
    title: 'Load',
    unit: 'reads/s',
    lines: [
      {
        ...{ label: 'asked', color: AMBER, dashed: true, stepped: true },
        points: asked.map(({ second, perS }) => ({ second, value: perS }))
      },
      {
        ...{ label: 'answered', color: VIOLET },
        points: load.map(({ second, answeredPerS }) => ({ second, value: answeredPerS }))
      }
    ]
  },
  {
    title: 'Replicas',
    unit: 'number',
    lines: [
      {
        ...{ label: 'wanted', color: AMBER, dashed: true, stepped: true },
        points: replicas.map(({ second, wanted }) => ({ second, value: wanted }))
      },
      {
        ...{ label: 'serving', color: VIOLET, stepped: true },
        points: replicas.map(({ second, serving }) => ({ second, value: serving }))
      }
    ]
  },
  {
    title: 'Latency',
    unit: 'ms',
    logarithmic: true,
    lines: [
      {
        ...{ label: 'p50', color: CYAN },
        points: load.map(({ second, p50Ms }) => ({ second, value: p50Ms }))
      },
      {
        ...{ label: 'p99', color: CYAN, dashed: true },
        points: load.map(({ second, p99Ms }) => ({ second, value: p99Ms }))
      }
    ]
  }
]
