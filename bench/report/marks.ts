/**
 * What happened when, below and across the panels of a chart over time: a row for each
 * kind, a bar for each time, and a faint line through all panels where it began.
 */
import { escaped, round } from './svg.ts'

export interface Mark {
  /** Of the row that it stands in. */
  readonly row: string
  readonly color: string
  /** Told when it is pointed at. */
  readonly text: string
  readonly second: number
  /** Where it lasted. */
  readonly toSecond?: number
}

const ROW = 16
const HEAD = 26
const BAR = { height: 10, width: 3 }

interface Frame {
  readonly x: (second: number) => number
  /** Top of the panels, and of the rows below them. */
  readonly top: number
  readonly below: number
  readonly left: number
  readonly right: number
}

export const heightOf = (marks: readonly Mark[]): number =>
  marks.length === 0 ? 0 : HEAD + rowsOf(marks).length * ROW

export function drawMarks(marks: readonly Mark[], { x, top, below, left, right }: Frame): string {
  const rows = rowsOf(marks)
  const y = (row: string) => below + HEAD + rows.indexOf(row) * ROW
  const lines = marks.map(
    ({ second, color, row }) =>
      `<path stroke="${color}" stroke-opacity=".45" stroke-width="1" d="M${round(x(second))} ${top}V${round(y(row))}"/>`
  )
  const names = rows.map(
    row =>
      `<path class="axis" d="M${left} ${y(row) + ROW / 2}H${right}"/>` +
      `<text x="${left - 6}" y="${y(row) + 12}" text-anchor="end">${escaped(row)}</text>`
  )
  const bars = marks.map(({ row, color, text, second, toSecond = second }) => {
    const width = Math.max(BAR.width, x(toSecond) - x(second))
    const place = `x="${round(x(second))}" y="${y(row) + 3}" width="${round(width)}" height="${BAR.height}"`
    return `<rect ${place} fill="${color}"><title>${escaped(text)}</title></rect>`
  })
  return [...lines, ...names, ...bars].join('\n')
}

/** In the order in which they are first given. */
const rowsOf = (marks: readonly Mark[]): string[] => [...new Set(marks.map(({ row }) => row))]
