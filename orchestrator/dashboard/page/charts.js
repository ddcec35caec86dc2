/**
 * Six charts over the same minutes. Lines differ by dash as well as by colour; the
 * figures of the moment that is looked at stand in each legend, as text.
 */
import { byId, draw, make, say } from './dom.js'
import { heightOf, linePath, roundTop, sampleAt } from './scale.js'
import { ago, figure } from './words.js'

const AREA = { x: 40, y: 8, width: 350, height: 112 }
const KEPT_MAX = 600

const CHARTS = [
  {
    title: 'Throughput, per second',
    lines: { reads: 'readsPerS', writes: 'writesPerS', failed: 'failedPerS' }
  },
  { title: 'Latency of reads, ms', lines: { p50: 'readP50Ms', p99: 'readP99Ms' } },
  { title: 'Latency of writes, ms', lines: { p50: 'writeP50Ms', p99: 'writeP99Ms' } },
  { title: 'Replicas', lines: { wanted: 'replicasWanted', 'in sync': 'replicasInSync' } },
  {
    title: 'Messages that wait',
    lines: { readQ: 'readQueue', writeQ: 'writeQueue', strongQ: 'strongQueue', lanes: 'waiting' }
  },
  { title: 'Lag, log entries', lines: { 'slowest in sync': 'lag' } }
]

export class Charts {
  #samples = []
  /** Of elections, in milliseconds. */
  #elections = []
  #figures = CHARTS.map(chart => figureOf(chart))

  constructor() {
    byId('charts').replaceChildren(...this.#figures.map(({ element }) => element))
    byId('span').addEventListener('change', () => {
      const seconds = byId('span').value
      byId('moment').max = seconds
      byId('moment').value = seconds
      this.draw()
    })
    byId('moment').addEventListener('input', () => this.draw())
    byId('charts-form').addEventListener('submit', event => event.preventDefault())
  }

  begin(samples) {
    this.#samples = samples
    this.#elections = []
    this.draw()
  }

  add(sample) {
    this.#samples.push(sample)
    if (this.#samples.length > KEPT_MAX) this.#samples.shift()
    this.draw()
  }

  mark(atMs) {
    this.#elections.push(atMs)
  }

  draw() {
    const spanS = Number(byId('span').value)
    const backS = spanS - Number(byId('moment').value)
    const toMs = this.#samples.at(-1)?.atMs ?? Date.now()
    const fromMs = toMs - spanS * 1_000
    const samples = this.#samples.filter(({ atMs }) => atMs >= fromMs)
    const chosen = sampleAt(samples, toMs - backS * 1_000)
    const xOf = atMs => (atMs - fromMs) / (toMs - fromMs)
    const marks = this.#elections.filter(atMs => atMs >= fromMs).map(xOf)
    say(byId('moment-text'), ago(backS))
    byId('moment').setAttribute('aria-valuetext', ago(backS))
    for (const one of this.#figures) {
      redraw(one, {
        samples,
        chosen,
        xOf,
        marks,
        spanS,
        look: backS > 0 ? 1 - backS / spanS : null
      })
    }
  }
}

function figureOf(chart) {
  const legend = make('dl', { class: 'legend' })
  const values = Object.keys(chart.lines).map((name, at) => {
    const value = make('dd', {}, '–')
    const key = draw('svg', { class: 'key', viewBox: '0 0 22 6', 'aria-hidden': 'true' })
    key.append(draw('path', { d: 'M0 3H22', class: `line line-${at}` }))
    legend.append(make('div', {}, make('dt', {}, key, name), value))
    return value
  })
  const svg = draw('svg', { viewBox: '0 0 400 142', role: 'img' })
  const element = make('figure', {}, make('figcaption', {}, chart.title), svg, legend)
  return { chart, element, svg, values }
}

function redraw({ chart, svg, values }, { samples, chosen, xOf, marks, spanS, look }) {
  const keys = Object.values(chart.lines)
  const all = samples.flatMap(sample => keys.map(key => sample[key] ?? 0))
  const top = roundTop(Math.max(0, ...all))
  const x = part => AREA.x + part * AREA.width
  const upright = (part, name) =>
    draw('path', { d: `M${x(part).toFixed(1)} ${AREA.y}v${AREA.height}`, class: name })
  svg.replaceChildren(
    ...[0, top / 2, top].flatMap(value => gridLine(value, top)),
    draw('text', { x: AREA.x, y: 138, class: 'tick' }, `${spanS / 60} min ago`),
    draw('text', { x: x(1), y: 138, class: 'tick', 'text-anchor': 'end' }, 'now'),
    ...marks.map(part => upright(part, 'election')),
    ...keys.map((key, at) => {
      const points = samples.map(sample => [xOf(sample.atMs), sample[key]])
      return draw('path', { d: linePath(points, top, AREA), class: `line line-${at}` })
    }),
    ...(look === null ? [] : [upright(look, 'look')])
  )
  const now = Object.entries(chart.lines).map(([name, key], at) => {
    say(values[at], figure(chosen?.[key]))
    return `${name} ${figure(chosen?.[key])}`
  })
  svg.setAttribute(
    'aria-label',
    `${chart.title}: ${now.join(', ')}; at most ${figure(Math.max(0, ...all))}`
  )
}

function gridLine(value, top) {
  const y = heightOf(value, top, AREA)
  return [
    draw('path', { d: `M${AREA.x} ${y}h${AREA.width}`, class: 'grid' }),
    draw('text', { x: AREA.x - 5, y: y + 4, class: 'tick', 'text-anchor': 'end' }, figure(value))
  ]
}
