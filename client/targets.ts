/**
 * The servers that calls are spread over, as they come and go.
 * Invariants:
 * - Idle ones take turns; a slow or frozen one, with more calls under way, is passed over.
 * - One that goes gets no new calls, and some time for those it has: what it does not
 *   answer then fails, and its caller may try another.
 * - A frozen one gets no new calls while another is there, and all the time for those it has.
 * - An empty list tells nothing of those known: they stay until others are named.
 */
import { Pool } from 'undici'
import { CallStream } from './call-stream.ts'
import { type Answered, Exchange, type Failed } from './exchange.ts'

/** An orchestrator that ends in order answers what it has within half of it. */
const GRACE_MS = 1_000

const POOL: Pool.Options = {
  connections: 64,
  // Each exchange has a timer of its own, which counts the wait for a connection too.
  headersTimeout: 0,
  bodyTimeout: 0
}

/** One attempt. */
export interface Sent {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Of this call, and of every call of its caller. */
  readonly headers: Readonly<Record<string, string>>
  readonly always: Readonly<Record<string, string>>
  readonly body: string | null
  /** Over the one connection for calls, where the server has one. */
  readonly streamed: boolean
}

export class Target {
  readonly origin: string
  /** Calls under way. */
  busy = 0
  readonly #pool: Pool
  #stream: CallStream | undefined

  constructor(origin: string) {
    this.origin = origin
    this.#pool = new Pool(origin, POOL)
  }

  async call(sent: Sent, timeoutMs: number): Promise<Answered | Failed> {
    this.busy += 1
    const outcome = await this.#send(sent, timeoutMs)
    this.busy -= 1
    return outcome
  }

  close(): Promise<void> {
    this.#stream?.destroy()
    return this.#pool.close()
  }

  /** What is under way fails. */
  destroy(): void {
    this.#stream?.destroy()
    this.#pool.destroy(new Error(`${this.origin} is gone`)).catch(() => {})
  }

  #send(sent: Sent, timeoutMs: number): Promise<Answered | Failed> {
    const { method, path, headers, always, body, streamed } = sent
    if (streamed && body !== null) {
      this.#stream ??= new CallStream(this.origin, always)
      const call = { path, headers, body }
      if (this.#stream.takes(call)) return this.#stream.send(call, timeoutMs)
    }
    const exchange = new Exchange(timeoutMs)
    const type = body === null ? {} : { 'content-type': 'application/json' }
    const all = { ...always, ...headers, ...type }
    this.#pool.dispatch({ method, path, headers: all, body }, exchange)
    return exchange.outcome
  }
}

export class Targets implements AsyncDisposable {
  #list: readonly Target[] = []
  /** Of the list, those that take calls. */
  #taking: readonly Target[] = []
  readonly #leaving = new Map<Target, NodeJS.Timeout>()
  #turn = 0

  /** @param urls of servers that have the same to offer */
  constructor(urls: readonly string[]) {
    this.become(urls)
  }

  get origins(): readonly string[] {
    return this.#list.map(({ origin }) => origin)
  }

  /** @param frozen those of `urls` that take no more */
  become(urls: readonly string[], frozen: readonly string[] = []): void {
    const origins = new Set(urls.map(url => new URL(url.trim()).origin))
    if (origins.size === 0) return
    const stay = this.#list.filter(({ origin }) => origins.delete(origin))
    for (const one of this.#list) if (!stay.includes(one)) this.#leave(one)
    this.#list = [...stay, ...[...origins].map(origin => new Target(origin))]
    const resting = new Set(frozen.map(url => new URL(url.trim()).origin))
    const taking = this.#list.filter(({ origin }) => !resting.has(origin))
    this.#taking = taking.length === 0 ? this.#list : taking
  }

  /** @returns undefined when there is none beside those in `failed` */
  choose(failed: ReadonlySet<Target>): Target | undefined {
    const among = failed.size === 0 ? this.#taking : this.#taking.filter(one => !failed.has(one))
    return leastBusy(among, this.#turn++)
  }

  hasOther(than: ReadonlySet<Target>): boolean {
    return this.#taking.some(one => !than.has(one))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [one, timer] of this.#leaving) {
      clearTimeout(timer)
      one.destroy()
    }
    await Promise.all(this.#list.map(one => one.close()))
  }

  #leave(one: Target): void {
    const timer = setTimeout(() => {
      this.#leaving.delete(one)
      one.destroy()
    }, GRACE_MS)
    this.#leaving.set(one, timer)
  }
}

/** Of several as busy, the one whose turn it is. */
export function leastBusy<T extends { readonly busy: number }>(
  among: readonly T[],
  turn: number
): T | undefined {
  let best: T | undefined
  for (let i = 0; i < among.length; i++) {
    const one = among[(turn + i) % among.length] as T
    if (best === undefined || one.busy < best.busy) best = one
  }
  return best
}
