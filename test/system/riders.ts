/**
 * Clients of the application, through lb: each creates rides and reads them back, all the
 * time, and remembers what it was told. What they meet on the way (lb, rides-api, users-api,
 * orchestrators) may die meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Answer, call, newName, PASSWORD } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { CLIENT_TIMEOUT_MS } from './writers.ts'

const CLIENTS = 8
const EVERY_MS = 80
const GOING_MS = 20_000
const RIDE = { timestamp: '31-12-2030:00-30-09', source: 1, destination: 42 }

export class Riders {
  readonly #lb: string
  readonly #user: string
  readonly #clients: Promise<void>[]
  readonly #errors: string[] = []
  #created = 0
  #rides = 0
  #slowestMs = 0
  #stopped = false

  private constructor(lb: string, user: string) {
    this.#lb = lb
    this.#user = user
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run())
  }

  /** Returns when rides are created. They end with `t` at the latest. */
  static async start(t: Test, lb: string): Promise<Riders> {
    const username = newName()
    await call(`PUT ${lb}/api/v1/users`, { body: { username, password: PASSWORD } })
    const riders = new Riders(lb, username)
    t.teardown(() => riders.stop())
    await riders.more(CLIENTS)
    return riders
  }

  /** Resolves when `count` further rides were created and read back. */
  async more(count: number): Promise<void> {
    const wanted = this.#rides + count
    await until(`${count} rides`, { withinMs: GOING_MS }, () =>
      this.#rides >= wanted ? true : undefined
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  /** Ends, and asserts that nobody saw an error, and that each ride is there once. */
  async endWell(t: Test): Promise<void> {
    await this.stop()
    t.strictSame(this.#errors, [], 'no client sees an error')
    t.ok(this.#slowestMs < CLIENT_TIMEOUT_MS, 'nor waits longer than it would')
    t.comment(`${this.#rides} rides, the slowest answer after ${Math.round(this.#slowestMs)} ms`)
    const mine = await this.#answer(`GET ${this.#lb}/api/v1/rides?source=1&destination=42`)
    const listed = (mine.body as { username: string }[]).filter(
      ({ username }) => username === this.#user
    )
    t.equal(listed.length, this.#created, 'each ride is there once')
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const startedAtMs = performance.now()
      try {
        await this.#ride()
      } catch (err) {
        this.#errors.push(String(err))
      }
      await sleep(Math.max(0, EVERY_MS - (performance.now() - startedAtMs)))
    }
  }

  async #ride(): Promise<void> {
    const body = { ...RIDE, created_by: this.#user }
    const created = await this.#answer(`POST ${this.#lb}/api/v1/rides`, body)
    const { location } = created.headers
    if (created.status !== 201) throw new Error(`POST answered ${JSON.stringify(created)}`)
    this.#created += 1
    const read = await this.#answer(`GET ${this.#lb}${String(location)}`)
    if (read.status !== 200) throw new Error(`GET ${location} answered ${read.status}`)
    this.#rides += 1
  }

  async #answer(target: `${'GET' | 'POST'} ${string}`, body?: object): Promise<Answer> {
    const startedAtMs = performance.now()
    const answer = await call(target, body === undefined ? {} : { body })
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAtMs)
    return answer
  }
}
