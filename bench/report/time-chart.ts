/**
 * SVG charts over time: panels below each other, with one axis of seconds.
 */
import { drawMarks, heightOf, type Mark } from './marks.ts'
import { escaped, powersOfTen, round, STYLE, short, steps } from './svg.ts'

export interface Line {
  readonly label: string
  readonly color: string
  readonly dashed?: boolean
  /** Holds each value until the next one, as a count does. */
  readonly stepped?: boolean
  readonly points: readonly { readonly second: number; readonly value: number }[]
}

export interface TimePanel {
  readonly title: string
  readonly unit: string
  readonly lines: readonly Line[]
  readonly logarithmic?: boolean
}

const WIDTH = 760
const HEAD = 40
const PANEL = { height: 190, left: 56, right: 14, top: 44, bottom: 14 }
const FOOT = 30
/** Rows of marks have names, at the left. */
const MARKED_LEFT = 118

/** @param marks what happened meanwhile */
export function timeChart(
  title: string,
  panels: readonly TimePanel[],
  marks: readonly Mark[] = []
): string {
  const below = HEAD + panels.length * PANEL.height
  const height = below + heightOf(marks) + FOOT
  const seconds = panels.flatMap(({ lines }) =>
    lines.flatMap(({ points }) => points.map(({ second }) => second))
  )
  const most = Math.max(1, ...seconds)
  const ticks = steps(most).filter(tick => tick <= most)
  const left = marks.length === 0 ? PANEL.left : MARKED_LEFT
  const right = WIDTH - PANEL.right
  const x = (second: number) => left + ((right - left) * second) / most
  const drawn = panels.map((panel, i) => {
    return `<g transform="translate(0 ${HEAD + i * PANEL.height})">${drawPanel(panel, { x, left })}</g>`
  })
  const axis = ticks.map(
    tick =>
      `<text x="${round(x(tick))}" y="${height - FOOT + 14}" text-anchor="middle">${short(tick)} s</text>`
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style>`,
    `<text class="title" x="12" y="22">${escaped(title)}</text>`,
    ...drawn,
    drawMarks(marks, { x, top: HEAD + PANEL.top, below, left, right }),
    ...axis,
    '</svg>\n'
  ].join('\n')
}

function drawPanel(
  { title, unit, lines, logarithmic }: TimePanel,
  { x, left }: { readonly x: (second: number) => number; readonly left: number }
) {
  const right = WIDTH - PANEL.right
  const { ticks, y } = scaleOf(lines, logarithmic ?? false)
  return [
    `<text x="12" y="22" font-weight="600">${escaped(title)}</text>`,
    legend(lines),
    `<text x="${right}" y="22" text-anchor="end">${escaped(unit)}</text>`,
    ...ticks.map(
      tick =>
        `<path class="axis" d="M${left} ${round(y(tick))}H${right}"/>` +
        `<text x="${left - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`
    ),
    ...lines.map(line => drawLine(line, { x, y }))
  ].join('\n')
}

function legend(lines: readonly Line[]): string {
  let x = 170
  return lines
    .map(({ label, color, dashed }) => {
      const mark = `<path class="line" stroke="${color}"${dash(dashed)} d="M${x} 18h22"/>`
      const name = `<text x="${x + 28}" y="22">${escaped(label)}</text>`
      x += 52 + label.length * 6.5
      return mark + name
    })
    .join('')
}

function drawLine(
  { color, dashed, stepped, points }: Line,
  { x, y }: { readonly x: (second: number) => number; readonly y: (value: number) => number }
): string {
  const path = points.map(({ second, value }, i) => {
    const [px, py] = [round(x(second)), round(y(value))]
    if (i === 0) return `M${px} ${py}`
    return stepped ? `H${px}V${py}` : `L${px} ${py}`
  })
  return `<path class="line" stroke="${color}"${dash(dashed)} d="${path.join('')}"/>`
}

function scaleOf(lines: readonly Line[], logarithmic: boolean) {
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value))
  const shown = values.filter(value => value > 0)
  const most = Math.max(logarithmic ? 0.1 : 1, ...shown)
  const ticks = logarithmic ? powersOfTen(Math.min(most, ...shown), most) : steps(most)
  const least = ticks[0] ?? 0
  const scaled = (value: number) => (logarithmic ? Math.log10(Math.max(value, least)) : value)
  const [from, to] = [scaled(least), scaled(ticks.at(-1) ?? 1)]
  const span = PANEL.height - PANEL.top - PANEL.bottom
  const y = (value: number) => PANEL.top + span * (1 - (scaled(value) - from) / (to - from))
  return { ticks, y }
}

const dash = (dashed = false) => (dashed ? ' stroke-dasharray="5 4"' : '')
