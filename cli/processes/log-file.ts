/**
 * Where the output of one process goes. Bounded: when full, the file becomes
 * `<name>.log.1` and a new one begins, so that each process keeps at most two.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync
} from 'node:fs'
import { dirname } from 'node:path'

const LIMIT_BYTES = 16 * 1024 * 1024
const TAIL_LINES = 10

export class LogFile implements Disposable {
  readonly path: string
  readonly #limitBytes: number
  #fd: number | undefined
  #bytes: number

  constructor(path: string, limitBytes = LIMIT_BYTES) {
    this.path = path
    this.#limitBytes = limitBytes
    mkdirSync(dirname(path), { recursive: true })
    this.#fd = openSync(path, 'a', 0o600)
    this.#bytes = statSync(path).size
  }

  /** At once, not in a stream's buffer: what a dying system said must be there. */
  write(chunk: Buffer | string): void {
    if (this.#fd === undefined) return // Output can arrive after the end of the process.
    if (this.#bytes > 0 && this.#bytes + chunk.length > this.#limitBytes) this.#rotate()
    this.#bytes += writeSync(this.#fd, typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  }

  /** What the process said last. */
  tail(): string {
    return readFileSync(this.path, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
  }

  #rotate(): void {
    this[Symbol.dispose]()
    renameSync(this.path, `${this.path}.1`)
    this.#fd = openSync(this.path, 'a', 0o600)
    this.#bytes = 0
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
