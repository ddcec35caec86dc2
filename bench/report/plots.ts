/**
 * The pictures of a report: throughput, latency and ratio by connections, with a panel
 * for each workload.
 */
import type { CurvePoint } from '../curve.ts'
import type { Report } from './report.ts'
import type { Figure, Line, Spread } from './summary.ts'
import { chart, type Panel, type Point, type Series } from './svg.ts'

/** Told apart by the colour-blind too, on light and dark ground. */
const COLORS = ['#8250df', '#d97706', '#0891b2', '#16a34a']

/** @returns SVG texts by name */
export function plotsOf(report: Report): Record<string, string> {
  const panels = (of: (workload: string) => Omit<Panel, 'title'>): Panel[] =>
    report.workloads.map(({ name, title }) => ({ title, ...of(name) }))
  const seriesOf = (workload: string, figure: Figure) =>
    series(report, { workload, value: line => line[figure] })
  const throughput = panels(name => ({ unit: 'requests/s', series: seriesOf(name, 'perS') }))
  const latency = panels(name => ({
    unit: 'ms',
    logarithmic: true,
    series: [
      ...seriesOf(name, 'p50Ms').map(one => ({ ...one, label: `${one.label} p50` })),
      ...seriesOf(name, 'p99Ms').map(one => ({ ...one, label: `${one.label} p99`, dashed: true }))
    ]
  }))
  const [reference = ''] = report.references
  const ratio = panels(name => ({
    unit: `${reference} = 1`,
    mark: 1,
    series: series(report, { workload: name, value: line => line.ratios[reference]?.perS })
  }))
  const curve = report.curve && { replicas: chart(CURVE, curvePanels(report.curve)) }
  return {
    ...curve,
    throughput: chart('Throughput by connections', throughput),
    latency: chart('Latency by connections', latency),
    ratio: chart(`Throughput as a ratio to ${reference}`, ratio)
  }
}

const CURVE = 'By number of replicas'

/** Rates, and what all processes together spend on a request. */
function curvePanels(curve: readonly CurvePoint[]): Panel[] {
  const panel = (title: string, unit: string, value: (point: CurvePoint) => number): Panel => ({
    ...{ title, unit },
    series: [...Map.groupBy(curve, ({ workload }) => workload)].map(([label, points], i) => ({
      label,
      color: COLORS[i % COLORS.length] ?? 'gray',
      points: points.map(point => {
        const of = value(point)
        return { at: `${point.replicas}`, value: of, low: of, high: of }
      })
    }))
  })
  const total = ({ cpuUs }: CurvePoint) => Object.values(cpuUs).reduce((sum, us) => sum + us, 0)
  return [
    panel('Throughput at 64 connections', 'requests/s', ({ perS }) => perS),
    panel('CPU of all processes', 'µs per request', total)
  ]
}

/** One for each contestant that has values. */
function series(
  { lines, contestants }: Report,
  wanted: { readonly workload: string; readonly value: (line: Line) => Spread | undefined }
): Series[] {
  return contestants.flatMap(({ name }, i) => {
    const points = lines
      .filter(({ workload, contestant }) => workload === wanted.workload && contestant === name)
      .flatMap(line => pointOf(line.connections, wanted.value(line)))
    const color = COLORS[i % COLORS.length] ?? 'gray'
    return points.length === 0 ? [] : [{ label: name, color, points }]
  })
}

const pointOf = (connections: number, spread: Spread | undefined): Point[] =>
  spread === undefined
    ? []
    : [{ at: `${connections}`, value: spread.median, low: spread.min, high: spread.max }]
