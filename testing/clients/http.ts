/**
 * Calls from an address of their own: without tokens, an orchestrator tells clients apart by
 * their address.
 */
import { Agent, request } from 'undici'

export interface Reply {
  readonly status: number
  readonly text: string
  readonly ms: number
}

/** Longer than any deadline of the cluster's. */
const TIMEOUT_MS = 60_000

export class HttpClient implements AsyncDisposable {
  readonly #url: string
  readonly #agent: Agent

  /** @param localAddress one of 127.0.0.0/8 */
  constructor(url: string, localAddress: string, timeoutMs = TIMEOUT_MS) {
    this.#url = url
    // undici takes no notice of an address in `connect`.
    this.#agent = new Agent({
      localAddress,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs
    })
  }

  /** @throws Error when there is no answer at all */
  async post(path: string, body: unknown): Promise<Reply> {
    const startedMs = performance.now()
    const { statusCode, body: answer } = await request(`${this.#url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      dispatcher: this.#agent
    })
    const text = await answer.text()
    return { status: statusCode, text, ms: performance.now() - startedMs }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }
}
