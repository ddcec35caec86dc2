/**
 * The pictures of a report: throughput, latency and ratio by connections, with a panel
 * for each workload.
 */
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
  return {
    throughput: chart('Throughput by connections', throughput),
    latency: chart('Latency by connections', latency),
    ratio: chart(`Throughput as a ratio to ${reference}`, ratio)
  }
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
