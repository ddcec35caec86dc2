/**
 * Draws one text over the other without flicker: on the terminal's second screen, line by
 * line over what stands there, and never emptied in between.
 */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const REST_OF_LINE = '\x1b[K'
const REST_OF_SCREEN = '\x1b[J'
/** Where a terminal has 0 of them: it does not know, as a serial line or one that a program opened. */
const ROWS = 24

export class Screen implements Disposable {
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    stream.write(ENTER)
  }

  draw(text: string): void {
    this.#stream.write(frameOf(text, this.#stream.rows))
  }

  [Symbol.dispose](): void {
    this.#stream.write(LEAVE)
  }
}

/** In one write; what does not fit is left out, for scrolling would move all of it. */
export function frameOf(text: string, rows: number): string {
  const lines = text.split('\n').slice(0, rows === 0 ? ROWS : rows)
  return HOME + lines.map(line => line + REST_OF_LINE).join('\n') + REST_OF_SCREEN
}
