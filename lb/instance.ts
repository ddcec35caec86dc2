/**
 * One instance of a service: its connections, what is under way to it, and its circuit.
 */
import { Pool } from 'undici'
import type { Logger } from '../platform/log.ts'
import type { Candidate } from './choice.ts'
import { afterFailure, afterNothing, afterSend, type Circuit, CLOSED } from './circuit.ts'
import { Exchange, type Outcome } from './exchange.ts'
import type { Patience } from './patience.ts'
import { Pipelines } from './pipeline.ts'

const CONNECTIONS_MAX = 128
const CONNECT_TIMEOUT_MS = 1_000
/** Between two parts of a body that is handed on. */
const BODY_TIMEOUT_MS = 30_000

export interface Forwarded {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string | string[]>
  readonly body: Buffer | null
}

export class Instance implements Candidate {
  readonly origin: string
  busy = 0
  circuit: Circuit = CLOSED
  readonly #host: string
  readonly #pool: Pool
  /** Only without TLS. */
  readonly #pipelines: Pipelines | undefined
  readonly #log: Logger

  constructor(origin: string, log: Logger) {
    const { host, protocol } = new URL(origin)
    this.origin = origin
    this.#host = host
    this.#log = log
    this.#pipelines = protocol === 'http:' ? new Pipelines(origin) : undefined
    this.#pool = new Pool(origin, {
      connections: CONNECTIONS_MAX,
      connect: { timeout: CONNECT_TIMEOUT_MS, noDelay: true },
      headersTimeout: 0, // the exchange has a timer of its own, which counts the queue too
      bodyTimeout: BODY_TIMEOUT_MS
    })
  }

  async send(
    request: Forwarded,
    { timeoutMs, patience }: { readonly timeoutMs: number; readonly patience: Patience }
  ): Promise<Outcome> {
    this.busy += 1
    this.circuit = afterSend(this.circuit)
    const outcome = await this.#ask(request, timeoutMs, patience)
    this.busy -= 1
    this.#learn(outcome)
    return outcome
  }

  /** Requests that are still under way end as lost, and may be sent to another. */
  retire(): void {
    const err = new Error('instance is gone')
    this.#pipelines?.destroy(err)
    this.#pool.destroy(err).catch(() => {})
  }

  async #ask(request: Forwarded, timeoutMs: number, patience: Patience): Promise<Outcome> {
    if (request.method === 'GET' && request.body === null) {
      const piped = await this.#pipelines?.send(headOf(request, this.#host), timeoutMs)
      if (piped !== undefined && piped.kind !== 'otherwise') return piped
    }
    const exchange = new Exchange({ method: request.method, timeoutMs })
    this.#pool.dispatch(request, exchange)
    return await patience.during(exchange.outcome, () => exchange.abandon())
  }

  #learn(outcome: Outcome): void {
    const before = this.circuit.kind
    if (outcome.kind === 'answer') this.circuit = CLOSED
    else if (outcome.failure === 'abandoned') {
      this.circuit = afterNothing(this.circuit, performance.now())
    } else this.circuit = afterFailure(this.circuit, performance.now())
    const after = this.circuit.kind
    if (before === after || after === 'probing') return
    const err = outcome.kind === 'failed' ? outcome.err : undefined
    this.#log.warn({ origin: this.origin, from: before, to: after, err }, 'circuit changed')
  }
}

/** Of what node's own parser let in: no part of it holds a line's end. */
function headOf({ method, path, headers }: Forwarded, host: string): string {
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (typeof value === 'string') head += `${name}: ${value}\r\n`
    else for (const one of value) head += `${name}: ${one}\r\n`
  }
  return `${head}\r\n`
}
