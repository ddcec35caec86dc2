/**
 * Text for people: colours and tables on a terminal, the same text without colours
 * where it goes elsewhere, or where NO_COLOR asks for it. Progress goes to standard
 * error, and only to a terminal, so that what is piped holds results alone.
 */
import { styleText } from 'node:util'
import stringWidth from 'string-width'

export type Style = Parameters<typeof styleText>[0]

const SPIN = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const TURN_MS = 100

export const stdout = (text: string) => console.log(text)

/** Node looks at the stream, NO_COLOR and FORCE_COLOR. */
export const styled = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout })

export interface Column<Row> {
  readonly head: string
  readonly right?: boolean
  readonly text: (row: Row) => string
  readonly style?: (row: Row) => Style | undefined
}

/** Aligned by what a terminal shows, wide characters counted as two. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map(row => columns.map(({ text }) => text(row)))
  const widths = columns.map(({ head }, i) =>
    Math.max(stringWidth(head), ...cells.map(line => stringWidth(line[i] ?? '')))
  )
  const last = columns.length - 1
  const padded = (text: string, i: number) => {
    const space = ' '.repeat((widths[i] ?? 0) - stringWidth(text))
    if (columns[i]?.right === true) return space + text
    return i === last ? text : text + space
  }
  const head = columns.map((column, i) => styled('bold', padded(column.head, i))).join('  ')
  const body = rows.map((row, at) =>
    columns
      .map((column, i) => {
        const text = padded(cells[at]?.[i] ?? '', i)
        const style = column.style?.(row)
        return style === undefined ? text : styled(style, text)
      })
      .join('  ')
  )
  return [head, ...body].join('\n')
}

/** Shows that something is under way, on a line that goes when it is disposed of. */
export class Progress implements Disposable {
  readonly #shown = process.stderr.isTTY === true
  readonly #startedAtMs = performance.now()
  #text: string
  #turn = 0
  readonly #timer: NodeJS.Timeout | undefined

  constructor(text: string) {
    this.#text = text
    if (this.#shown) this.#timer = setInterval(() => this.#draw(), TURN_MS).unref()
  }

  /** @param part done so far, 0 to 1, where that is known */
  show(text: string, part?: number): void {
    this.#text = part === undefined ? text : `${bar(part)} ${text}`
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    if (this.#shown) process.stderr.write('\r\x1b[K')
  }

  #draw(): void {
    const seconds = ((performance.now() - this.#startedAtMs) / 1_000).toFixed(0)
    const sign = SPIN[this.#turn++ % SPIN.length] ?? ''
    process.stderr.write(`\r\x1b[K${sign} ${this.#text} (${seconds} s)`)
  }
}

const BAR_CELLS = 20

export function bar(part: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * BAR_CELLS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)}`
}
