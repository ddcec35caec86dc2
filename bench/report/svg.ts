/**
 * A small writer of SVG charts, readable on light and on dark ground: text and axes
 * take a grey that both show, series their own colours.
 */

export interface Series {
  readonly label: string
  readonly color: string
  /** Drawn with dashes, to tell two series of one colour apart. */
  readonly dashed?: boolean
  readonly points: readonly Point[]
}

export interface Point {
  /** Name on the horizontal axis, where points stand at equal distances. */
  readonly at: string
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface Panel {
  readonly title: string
  readonly unit: string
  readonly series: readonly Series[]
  /** By factors of ten rather than by steps; for values that span several of them. */
  readonly logarithmic?: boolean
  /** Marked with a line across. */
  readonly mark?: number
}

const PANEL = { width: 360, height: 260, left: 56, right: 14, top: 40, bottom: 34 }
const HEAD = 64
export const STYLE = `text{font:12px system-ui,sans-serif;fill:#59636e}
.title{font-size:15px;font-weight:600}.axis{stroke:#8b949e;stroke-opacity:.35}
.mark{stroke:#8b949e;stroke-dasharray:2 3}.line{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}`

/** Panels side by side, two in a row, with one legend. */
export function chart(title: string, panels: readonly Panel[]): string {
  const columns = Math.min(2, panels.length)
  const width = columns * PANEL.width
  const height = HEAD + Math.ceil(panels.length / columns) * PANEL.height
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % columns) * PANEL.width, HEAD + Math.floor(i / columns) * PANEL.height]
    return `<g transform="translate(${x} ${y})">${drawPanel(panel)}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style>`,
    `<text class="title" x="12" y="22">${escaped(title)}</text>`,
    legend(panels[0]?.series ?? []),
    ...drawn,
    '</svg>\n'
  ].join('\n')
}

function legend(series: readonly Series[]): string {
  let x = 12
  return series
    .map(({ label, color, dashed }) => {
      const line = `<path class="line" stroke="${color}"${dash(dashed)} d="M${x} 42h22"/>`
      const name = `<text x="${x + 28}" y="46">${escaped(label)}</text>`
      x += 52 + label.length * 6.5
      return line + name
    })
    .join('')
}

function drawPanel(panel: Panel): string {
  const names = [...new Set(panel.series.flatMap(({ points }) => points.map(({ at }) => at)))]
  const inner = PANEL.width - PANEL.left - PANEL.right
  const x = (at: string) => PANEL.left + (inner * (names.indexOf(at) + 0.5)) / names.length
  const { ticks, y } = verticalScale(panel)
  const right = PANEL.width - PANEL.right
  const bottom = PANEL.height - PANEL.bottom
  const across = (value: number, style: string) =>
    `<path class="${style}" d="M${PANEL.left} ${round(y(value))}H${right}"/>`
  return [
    `<text x="12" y="20" font-weight="600">${escaped(panel.title)}</text>`,
    ...ticks.map(
      tick =>
        `${across(tick, 'axis')}<text x="${PANEL.left - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`
    ),
    `<text x="${right}" y="20" text-anchor="end">${escaped(panel.unit)}</text>`,
    panel.mark === undefined ? '' : across(panel.mark, 'mark'),
    ...names.map(
      name =>
        `<text x="${round(x(name))}" y="${bottom + 18}" text-anchor="middle">${escaped(name)}</text>`
    ),
    ...panel.series.map(series => drawSeries(series, { x, y }))
  ].join('\n')
}

function drawSeries(
  { color, dashed, points }: Series,
  { x, y }: { readonly x: (at: string) => number; readonly y: (value: number) => number }
): string {
  const line = points.map(({ at, value }) => `${round(x(at))} ${round(y(value))}`).join('L')
  const marks = points.map(({ at, value, low, high }) => {
    const spread = `<path class="line" stroke="${color}" stroke-opacity=".5" d="M${round(x(at))} ${round(y(low))}V${round(y(high))}"/>`
    const dot = `<circle cx="${round(x(at))}" cy="${round(y(value))}" r="3.5" fill="${color}"/>`
    return spread + dot
  })
  return `<path class="line" stroke="${color}"${dash(dashed)} d="M${line}"/>${marks.join('')}`
}

function verticalScale({ series, logarithmic = false, mark }: Panel) {
  const values = series.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high]))
  const shown = [...values, ...(mark === undefined ? [] : [mark])].filter(value => value > 0)
  const [least, most] = shown.length > 0 ? [Math.min(...shown), Math.max(...shown)] : [0.1, 1]
  const ticks = logarithmic ? powersOfTen(least, most) : steps(most)
  const scaled = (value: number) => (logarithmic ? Math.log10(Math.max(value, 1e-9)) : value)
  const from = scaled(ticks[0] ?? 0)
  const to = scaled(ticks.at(-1) ?? 1)
  const span = PANEL.height - PANEL.top - PANEL.bottom
  const y = (value: number) => PANEL.top + span * (1 - (scaled(value) - from) / (to - from))
  return { ticks, y }
}

/** Round numbers from 0 to at least `most`. */
export function steps(most: number): number[] {
  const rough = most / 4
  const unit = 10 ** Math.floor(Math.log10(rough))
  const step = unit * ([1, 2, 2.5, 5, 10].find(factor => factor * unit >= rough) ?? 10)
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => i * step)
}

export function powersOfTen(least: number, most: number): number[] {
  const from = Math.floor(Math.log10(least))
  const to = Math.max(from + 1, Math.ceil(Math.log10(most)))
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
}

export const round = (value: number) => Math.round(value * 10) / 10

export const short = (value: number) =>
  value >= 1_000 ? `${Number((value / 1_000).toPrecision(3))}k` : `${Number(value.toPrecision(3))}`

const dash = (dashed = false) => (dashed ? ' stroke-dasharray="5 4"' : '')

export const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
