/**
 * Connections to one instance on which GETs follow each other without waiting, and are
 * answered in order (RFC 9112, 9.3.2). Those of one turn of the loop go out as one write,
 * and so come back: writing to sockets was most of what a request cost lb.
 * Invariants:
 * - Only GETs: what a connection loses may be asked again.
 * - An answer that is slow holds up few: at most `DEPTH_MAX` share a connection, and none
 *   joins one whose oldest has waited for `STALE_MS`.
 * - Answers without a length, or larger than lb holds, are not for here: they and those
 *   behind them are asked again in the ordinary way, as are all for a while.
 */
import { connect, type Socket } from 'node:net'
import { AnswerParser } from './answer-parser.ts'
import type { Outcome } from './exchange.ts'

const CONNECTIONS_MAX = 16
const DEPTH_MAX = 32
const STALE_MS = 10
const ORDINARY_MS = 10_000
const CONNECT_TIMEOUT_MS = 1_000

export type Piped =
  | Outcome
  /** Nothing is known against the instance: it is to be asked in the ordinary way. */
  | { readonly kind: 'otherwise' }

interface Unanswered {
  readonly sentMs: number
  readonly timer: NodeJS.Timeout
  readonly settle: (piped: Piped) => void
}

export class Pipelines {
  readonly #host: string
  readonly #port: number
  #open: readonly Pipeline[] = []
  #ordinaryUntilMs = 0

  constructor(origin: string) {
    const { hostname, port } = new URL(origin)
    this.#host = hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(port || 80)
  }

  /** @returns undefined when it is to be asked in the ordinary way */
  send(head: string, timeoutMs: number): Promise<Piped> | undefined {
    const nowMs = performance.now()
    if (nowMs < this.#ordinaryUntilMs) return undefined
    const free = this.#open.find(one => one.admits(nowMs))
    if (free === undefined && this.#open.length >= CONNECTIONS_MAX) return undefined
    return (free ?? this.#connect()).send(head, { nowMs, timeoutMs })
  }

  destroy(err: Error): void {
    for (const one of this.#open) one.end(err)
  }

  #connect(): Pipeline {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    const opened = new Pipeline(socket, {
      ended: () => {
        this.#open = this.#open.filter(one => one !== opened)
      },
      notPlain: () => {
        this.#ordinaryUntilMs = performance.now() + ORDINARY_MS
      }
    })
    this.#open = [...this.#open, opened]
    return opened
  }
}

class Pipeline {
  readonly #socket: Socket
  readonly #on: { readonly ended: () => void; readonly notPlain: () => void }
  readonly #parser = new AnswerParser()
  /** In the order of sending. */
  #unanswered: Unanswered[] = []
  #heads = ''
  #reached = false
  #ended = false

  constructor(socket: Socket, on: { readonly ended: () => void; readonly notPlain: () => void }) {
    this.#socket = socket
    this.#on = on
    const late = setTimeout(() => this.end(new Error('no connection in time')), CONNECT_TIMEOUT_MS)
    socket.on('connect', () => {
      clearTimeout(late)
      this.#reached = true
    })
    socket.on('data', chunk => this.#read(chunk as Buffer))
    socket.on('error', err => this.end(err))
    socket.on('close', () => {
      clearTimeout(late)
      this.end(new Error('the instance ended the connection'))
    })
  }

  admits(nowMs: number): boolean {
    const [oldest] = this.#unanswered
    if (oldest === undefined) return true
    return this.#unanswered.length < DEPTH_MAX && nowMs - oldest.sentMs < STALE_MS
  }

  send(head: string, { nowMs, timeoutMs }: { nowMs: number; timeoutMs: number }): Promise<Piped> {
    const { promise, resolve: settle } = Promise.withResolvers<Piped>()
    const timer = setTimeout(() => this.#timeOut(settle), timeoutMs)
    this.#unanswered.push({ sentMs: nowMs, timer, settle })
    if (this.#heads === '') setImmediate(() => this.#flush())
    this.#heads += head
    return promise
  }

  end(err: Error): void {
    this.#finish({ kind: 'failed', failure: this.#reached ? 'lost' : 'unreached', err })
  }

  /** Nothing comes any more for those behind it either. */
  #timeOut(settle: (piped: Piped) => void): void {
    const err = new Error('no answer in time')
    settle({ kind: 'failed', failure: this.#reached ? 'timeout' : 'unreached', err })
    this.end(err)
  }

  #flush(): void {
    if (!this.#ended) this.#socket.write(this.#heads, 'latin1')
    this.#heads = ''
  }

  #read(chunk: Buffer): void {
    const { answers, plain } = this.#parser.read(chunk)
    for (const answer of answers) this.#settle(this.#unanswered.shift(), answer)
    if (plain) return
    this.#on.notPlain()
    this.#finish({ kind: 'otherwise' })
  }

  #finish(rest: Piped): void {
    if (this.#ended) return
    this.#ended = true
    this.#on.ended()
    this.#socket.destroy()
    for (const one of this.#unanswered.splice(0)) this.#settle(one, rest)
  }

  #settle(one: Unanswered | undefined, piped: Piped): void {
    if (one === undefined) return
    clearTimeout(one.timer)
    one.settle(piped)
  }
}
