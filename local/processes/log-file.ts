/**
 * Where the output of one process goes. The process writes to the file itself, not
 * through a pipe of the starter: its way down, after the starter was killed, must not
 * end at a broken pipe. Bounded: a file that grew large is copied to `<name>.log.1`
 * and emptied, so that each process keeps at most two.
 */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync
} from 'node:fs'
import { dirname } from 'node:path'

const LIMIT_BYTES = 16 * 1024 * 1024
const LOOK_MS = 5_000
const TAIL_LINES = 10
/** A stack would push its own message out of the few lines, and a note is not the process's. */
const NO_TAIL = /^( {4}at |--- |Node\.js v|$)/
const STARTED = /^--- \S+ \S+ starts$/m

export class LogFile implements Disposable {
  readonly path: string
  /** Given to the process; appending, so that it goes on at the start of an emptied file. */
  readonly fd: number
  readonly #limitBytes: number
  readonly #timer: NodeJS.Timeout

  constructor(path: string, limitBytes = LIMIT_BYTES) {
    this.path = path
    this.#limitBytes = limitBytes
    mkdirSync(dirname(path), { recursive: true })
    this.fd = openSync(path, 'a', 0o600)
    this.#timer = setInterval(() => this.rotate(), LOOK_MS).unref()
  }

  /** A line of the starter's own, marked as such. */
  note(text: string): void {
    writeSync(this.fd, `--- ${new Date().toISOString()} ${text}\n`)
  }

  /** What the process said since its last start. */
  said(): string {
    return readFileSync(this.path, 'utf8').split(STARTED).at(-1) ?? ''
  }

  /** What it said last. */
  tail(): string {
    const lines = this.said().split('\n')
    return lines
      .filter(line => !NO_TAIL.test(line))
      .slice(-TAIL_LINES)
      .join('\n')
  }

  rotate(): void {
    if (fstatSync(this.fd).size <= this.#limitBytes) return
    copyFileSync(this.path, `${this.path}.1`)
    ftruncateSync(this.fd)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    closeSync(this.fd)
  }
}
