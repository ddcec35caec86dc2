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
/** Without an answer there is perhaps no server: no use in asking at full speed. */
const NO_ANSWER_PAUSE_MS = 200

type Call = Pick<Dispatcher.RequestOptions, 'method' | 'path'> & { readonly body?: object }

export class Traffic implements AsyncDisposable {
  readonly #pool: Pool
  readonly #figures: Figures
  /** Ids of rides, by their position in the plan; undefined for those that were refused. */
  readonly #rideIds = new Map<number, Promise<string | undefined>>()

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
    if (action.kind === 'offer') {
      const offering = this.#offer(action)
      this.#rideIds.set(action.ride, offering)
      await offering
      return
    }
    const call = await this.#callOf(action)
    if (call !== undefined) await this.#insist(action.kind, call)
  }

  async #offer(action: Extract<Action, { kind: 'offer' }>): Promise<string | undefined> {
    const { kind, ride: _ride, ...body } = action
    const answer = await this.#insist(kind, { method: 'POST', path: '/api/v1/rides', body })
    return (
      String(answer.headers['location'] ?? '')
        .split('/')
        .at(-1) || undefined
    )
  }

  /** Undefined where the ride that it needs was refused. */
  async #callOf(action: Exclude<Action, { kind: 'offer' }>): Promise<Call | undefined> {
    if (action.kind === 'sign up') {
      const { username, password } = action
      return { method: 'PUT', path: '/api/v1/users', body: { username, password } }
    }
    if (action.kind === 'search') {
      const { source, destination } = action
      return { method: 'GET', path: `/api/v1/rides?source=${source}&destination=${destination}` }
    }
    // Actions begin in the plan's order, so the ride's offer has begun.
    const rideId = await this.#rideIds.get(action.ride)
    if (rideId === undefined) return undefined
    const path = `/api/v1/rides/${rideId}`
    return action.kind === 'look'
      ? { method: 'GET', path }
      : { method: 'POST', path, body: { username: action.username } }
  }

  async #insist(kind: Action['kind'], call: Call) {
    for (let tries = 1; ; tries++) {
      const answer = await this.#send(kind, call)
      if (answer.status !== 503 || tries === OVERLOADED_TRIES) return answer
      await sleep(Number(answer.headers['retry-after'] ?? 1) * 1_000)
    }
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
    if (outcome.status === 'none') await sleep(NO_ANSWER_PAUSE_MS)
    return outcome
  }
}
