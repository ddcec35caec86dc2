/**
 * One request on its way to one instance, and its outcome. An answer of known and
 * moderate length is held until it is whole, so that the death of the instance half-way
 * can still be mended by another; any other is handed on as it comes.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Failure } from './retry.ts'

export const HELD_MAX_BYTES = 1024 * 1024

export interface Answer {
  readonly kind: 'answer'
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer | Readable
}

export type Outcome =
  | Answer
  | { readonly kind: 'failed'; readonly failure: Failure; readonly err: Error }

export class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Outcome>
  readonly #settle: (outcome: Outcome) => void
  readonly #timer: NodeJS.Timeout
  readonly #isHead: boolean
  #controller: Dispatcher.DispatchController | undefined
  /** Why, once nobody waits for the outcome: it is not sent then, if it still waits for a connection. */
  #aborted: Error | undefined
  #status = 0
  #headers: IncomingHttpHeaders = {}
  readonly #held: Buffer[] = []
  #handedOn: Readable | undefined

  constructor(options: { readonly method: string; readonly timeoutMs: number }) {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.outcome = promise
    this.#settle = resolve
    this.#isHead = options.method === 'HEAD'
    this.#timer = setTimeout(() => this.#timeOut(), options.timeoutMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#aborted !== undefined) controller.abort(this.#aborted)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders
  ): void {
    if (status < 200) return // informational; the answer follows
    this.#status = status
    this.#headers = headers
    const bodyless = this.#isHead || status === 204 || status === 304
    if (!bodyless && !(Number(headers['content-length']) <= HELD_MAX_BYTES)) this.#handOn()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#handedOn === undefined) this.#held.push(chunk)
    else if (!this.#handedOn.push(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer)
    if (this.#handedOn !== undefined) {
      this.#handedOn.push(null)
      return
    }
    const [first] = this.#held
    const body = this.#held.length === 1 && first ? first : Buffer.concat(this.#held)
    this.#settle({ kind: 'answer', status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, err: Error): void {
    clearTimeout(this.#timer)
    if (this.#handedOn !== undefined) this.#handedOn.destroy(err)
    else this.#fail(this.#controller === undefined ? 'unreached' : 'lost', err)
  }

  /** The client has left: nobody wants the outcome any more. */
  abandon(): void {
    clearTimeout(this.#timer)
    this.#abort('abandoned', new Error('the client has left'))
  }

  #handOn(): void {
    clearTimeout(this.#timer) // from here on the client's patience counts
    const controller = this.#controller
    const body = new Readable({
      read: () => controller?.resume(),
      destroy: (err, done) => {
        controller?.abort(err ?? new Error('the client has gone'))
        done(err)
      }
    })
    this.#handedOn = body
    this.#settle({ kind: 'answer', status: this.#status, headers: this.#headers, body })
  }

  #timeOut(): void {
    const failure = this.#controller === undefined ? 'unreached' : 'timeout'
    this.#abort(failure, new Error('no answer in time'))
  }

  #abort(failure: Failure, err: Error): void {
    this.#aborted = err
    this.#fail(failure, err)
    this.#controller?.abort(err)
  }

  #fail(failure: Failure, err: Error): void {
    this.#settle({ kind: 'failed', failure, err }) // the first outcome stands
  }
}
