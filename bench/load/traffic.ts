/**
 * Sends a plan's actions to lb, some at once, and measures each. An answer of 503 is
 * waited out and counted, as a client would do it; what is refused otherwise (somebody
 * joins a ride of his own) belongs to real traffic.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dispatcher, Pool } from 'undici'
import type { Figures } from './figures.ts'
import type { Action } from './plan.ts'

const TIMEOUT_MS = 30_000
const OVERLOADED_TRIES = 20

type Call = Pick<Dispatcher.RequestOptions, 'method' | 'path'> & { readonly body?: object }

export class Traffic implements AsyncDisposable {
  readonly #pool: Pool
  readonly #figures: Figures
  /** Ids of rides, by their position in the plan. */
  readonly #rideIds = new Map<number, string>()

  constructor(options: { readonly url: string; readonly connections: number; figures: Figures }) {
    const { url, connections, figures } = options
    this.#pool = new Pool(url, { connections, headersTimeout: TIMEOUT_MS })
    this.#figures = figures
  }

  /** Runs all `actions`, `atOnce` of them at a time. */
  async run(
    actions: Iterable<Action>,
    { atOnce, onDone }: { readonly atOnce: number; readonly onDone: (action: Action) => void }
  ): Promise<void> {
    const source = actions[Symbol.iterator]()
    const worker = async () => {
      for (let next = source.next(); !next.done; next = source.next()) {
        await this.#act(next.value)
        onDone(next.value)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close()
  }

  async #act(action: Action): Promise<void> {
    const call = this.#callOf(action)
    if (call === undefined) return
    for (let tries = 1; ; tries++) {
      const { status, headers } = await this.#send(action.kind, call)
      if (action.kind === 'offer' && status === 201) {
        this.#rideIds.set(action.ride, String(headers['location']).split('/').at(-1) ?? '')
      }
      if (status !== 503 || tries === OVERLOADED_TRIES) return
      await sleep(Number(headers['retry-after'] ?? 1) * 1_000)
    }
  }

  /** Undefined where the ride that it needs was not made (yet). */
  #callOf(action: Action): Call | undefined {
    if (action.kind === 'sign up') {
      const { username, password } = action
      return { method: 'PUT', path: '/api/v1/users', body: { username, password } }
    }
    if (action.kind === 'offer') {
      const { kind: _kind, ride: _ride, ...body } = action
      return { method: 'POST', path: '/api/v1/rides', body }
    }
    if (action.kind === 'search') {
      const { source, destination } = action
      return { method: 'GET', path: `/api/v1/rides?source=${source}&destination=${destination}` }
    }
    const rideId = this.#rideIds.get(action.ride)
    if (rideId === undefined) return undefined
    const path = `/api/v1/rides/${rideId}`
    return action.kind === 'look'
      ? { method: 'GET', path }
      : { method: 'POST', path, body: { username: action.username } }
  }

  async #send(kind: Action['kind'], { method, path, body }: Call) {
    const startedAt = performance.now()
    const outcome = await this.#pool
      .request({
        method,
        path,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body)
      })
      .then(async ({ statusCode, headers, body: answer }) => {
        await answer.dump()
        return { status: statusCode, headers }
      })
      .catch(() => ({ status: 'none' as const, headers: {} as Record<string, string> }))
    this.#figures.add(kind, { ms: performance.now() - startedAt, status: outcome.status })
    return outcome
  }
}
