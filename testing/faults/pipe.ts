/**
 * One direction of a proxied connection, and what a bad network does to it. While it is
 * cut nothing passes, the end of the stream included, and nobody is told: the bytes wait,
 * as they do in a sender that gets no acknowledgement, and pass when it is healed.
 */
import type { Socket } from 'node:net'

/** How bytes pass at present. */
export interface Way {
  readonly cut: boolean
  readonly delayMs: number
}

export const OPEN: Way = { cut: false, delayMs: 0 }

/** What passes: bytes, the sender's good-bye, or its death. */
type Passing = Buffer | 'end' | 'abort'

export class Pipe {
  readonly #source: Socket
  readonly #sink: Socket
  readonly #queue: { readonly passing: Passing; readonly dueMs: number }[] = []
  #way: Way = OPEN
  #full = false
  #timer: NodeJS.Timeout | undefined

  constructor(source: Socket, sink: Socket) {
    this.#source = source
    this.#sink = sink
    source.on('data', chunk => this.#take(chunk))
    source.on('end', () => this.#take('end'))
    source.on('close', hadError => hadError && this.#take('abort'))
    sink.on('drain', () => {
      this.#full = false
      this.#read()
    })
  }

  set(way: Way): void {
    this.#way = way
    this.#read()
    this.#pass()
  }

  #take(passing: Passing): void {
    this.#queue.push({ passing, dueMs: performance.now() + this.#way.delayMs })
    this.#pass()
  }

  #read(): void {
    if (this.#way.cut || this.#full) this.#source.pause()
    else this.#source.resume()
  }

  #pass(): void {
    clearTimeout(this.#timer)
    if (this.#way.cut) return
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.dueMs - performance.now()
      if (this.#way.delayMs > 0 && waitMs > 0) {
        this.#timer = setTimeout(() => this.#pass(), waitMs)
        return
      }
      this.#queue.shift()
      this.#deliver(next.passing)
    }
  }

  #deliver(passing: Passing): void {
    const sink = this.#sink
    if (passing === 'abort') sink.resetAndDestroy()
    else if (!sink.writable) return
    else if (passing === 'end') sink.end()
    else if (!sink.write(passing)) {
      this.#full = true
      this.#read()
    }
  }
}
