/**
 * One instance of a service: its connections, what is under way to it, and its circuit.
 */
import { Pool } from 'undici'
import type { Logger } from '../platform/log.ts'
import type { Candidate } from './choice.ts'
import { afterFailure, afterSend, type Circuit, CLOSED } from './circuit.ts'
import { Exchange, type Outcome } from './exchange.ts'

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
  readonly #pool: Pool
  readonly #log: Logger

  constructor(origin: string, log: Logger) {
    this.origin = origin
    this.#log = log
    this.#pool = new Pool(origin, {
      connections: CONNECTIONS_MAX,
      connect: { timeout: CONNECT_TIMEOUT_MS, noDelay: true },
      headersTimeout: 0, // the exchange has a timer of its own, which counts the queue too
      bodyTimeout: BODY_TIMEOUT_MS
    })
  }

  async send(request: Forwarded, timeoutMs: number): Promise<Outcome> {
    const exchange = new Exchange({ method: request.method, timeoutMs })
    this.busy += 1
    this.circuit = afterSend(this.circuit)
    this.#pool.dispatch(request, exchange)
    const outcome = await exchange.outcome
    this.busy -= 1
    this.#learn(outcome)
    return outcome
  }

  /** Requests that are still under way end as lost, and may be sent to another. */
  retire(): void {
    this.#pool.destroy(new Error('instance is gone')).catch(() => {})
  }

  #learn(outcome: Outcome): void {
    const before = this.circuit.kind
    if (outcome.kind === 'answer') this.circuit = CLOSED
    else this.circuit = afterFailure(this.circuit, performance.now())
    const after = this.circuit.kind
    if (before === after || after === 'probing') return
    const err = outcome.kind === 'failed' ? outcome.err : undefined
    this.#log.warn({ origin: this.origin, from: before, to: after, err }, 'circuit changed')
  }
}
