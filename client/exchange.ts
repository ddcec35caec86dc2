/**
 * One HTTP call on its way, and what came of it: the whole answer as text, or why there
 * is none. undici's events are taken as they come: its `request` makes a stream, an
 * abort signal and several promises for each call, a fifth of the CPU time of a service.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { retryAfterS } from './retry.ts'

export interface Answered {
  readonly kind: 'answer'
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly retryAfterS: number | undefined
}

export interface Failed {
  readonly kind: 'failed'
  /** Whether the other side may have got the call. */
  readonly sent: boolean
  readonly cause: unknown
}

export class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Answered | Failed>
  readonly #settle: (outcome: Answered | Failed) => void
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #timedOut: Error | undefined
  #status = 0
  #headers: IncomingHttpHeaders = {}
  readonly #body: Buffer[] = []

  /** @param timeoutMs for all of it, the wait for a free connection included */
  constructor(timeoutMs: number) {
    const { promise, resolve } = Promise.withResolvers<Answered | Failed>()
    this.outcome = promise
    this.#settle = resolve
    this.#timer = setTimeout(() => this.#timeOut(timeoutMs), timeoutMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#timedOut !== undefined) controller.abort(this.#timedOut)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders
  ): void {
    this.#status = status // an informational one is followed by the answer's own
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body.push(chunk)
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer)
    const [first] = this.#body
    const body = this.#body.length === 1 && first ? first : Buffer.concat(this.#body)
    this.#settle({
      kind: 'answer',
      status: this.#status,
      headers: this.#headers,
      text: body.toString(),
      retryAfterS: retryAfterS(this.#headers['retry-after'])
    })
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    clearTimeout(this.#timer)
    this.#fail(cause)
  }

  #timeOut(timeoutMs: number): void {
    this.#timedOut = new Error(`no answer within ${timeoutMs} ms`)
    this.#fail(this.#timedOut)
    this.#controller?.abort(this.#timedOut)
  }

  #fail(cause: Error): void {
    const refused = (cause as { code?: string }).code === 'ECONNREFUSED'
    this.#settle({ kind: 'failed', sent: !refused, cause }) // the first outcome stands
  }
}
