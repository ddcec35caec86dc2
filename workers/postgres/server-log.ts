/**
 * Keeps what PostgreSQL prints, in two files of a bounded size: `postgres.log` and
 * the one before it, `postgres.log.1`.
 */
import { appendFileSync, renameSync, statSync } from 'node:fs'
import type { Readable } from 'node:stream'

const MAX_BYTES = 1024 * 1024
const KEPT_LINES = 20

export class ServerLog {
  readonly #path: string
  #bytes: number
  #last: string[] = []
  /** Told of all that is printed. */
  onText: (text: string) => void = () => {}

  constructor(path: string) {
    this.#path = path
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** What was printed last, for the error of a start that failed. */
  get tail(): string {
    return this.#last.join('\n')
  }

  follow(output: Readable): void {
    output.setEncoding('utf8').on('data', (text: string) => {
      this.#append(text)
      this.onText(text)
      this.#last = [...this.#last, ...text.trimEnd().split('\n')].slice(-KEPT_LINES)
    })
  }

  /** What cannot be kept is let go: a full disk must not end the worker as well. */
  #append(text: string): void {
    try {
      if (this.#bytes > MAX_BYTES) {
        renameSync(this.#path, `${this.#path}.1`)
        this.#bytes = 0
      }
      appendFileSync(this.#path, text, { mode: 0o600 })
      this.#bytes += Buffer.byteLength(text)
    } catch {
      this.#bytes = 0
    }
  }
}
