/**
 * The bystander: one client that writes a row, reads one by its key from a replica, and
 * another one from the master, each kind in a loop of its own, so that one that waits
 * does not hide what the others would have met.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpClient } from '../../testing/clients/http.ts'

export const KINDS = ['write', 'read', 'strong read'] as const
export type Kind = (typeof KINDS)[number]

export interface Sample {
  readonly kind: Kind
  readonly ms: number
  /** 0: no answer. */
  readonly status: number
}

const ROWS = 1_000
const PAUSE_MS = 10
const TIMEOUT_MS = 20_000

export class Bystander {
  readonly #client: HttpClient
  #seen: Sample[] = []
  #n = 0

  /** @param from address of its own: shares are counted by it */
  constructor(url: string, from: string) {
    this.#client = new HttpClient(url, from, TIMEOUT_MS)
  }

  /** Makes its table. */
  async prepare(): Promise<void> {
    const table = 'create table bystander (id bigint primary key, v text not null)'
    const fill = `insert into bystander select g, 'v' from generate_series(0, ${ROWS - 1}) g`
    for (const sql of [table, fill]) {
      const { status, text } = await this.#ask('/write', { statements: [{ sql }] })
      if (status !== 200) throw new Error(`${sql}: ${status} ${text}`)
    }
  }

  /** @returns what it met in so much time; a call that was begun is waited for */
  async run(forMs: number): Promise<readonly Sample[]> {
    this.#seen = []
    const untilMs = performance.now() + forMs
    await Promise.all(KINDS.map(kind => this.#loop(kind, untilMs)))
    return this.#seen
  }

  /** Resolves when all is quick again. @throws Error when it is not within `withinMs` */
  async untilQuick(quickMs: number, withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    for (;;) {
      const seen = await this.run(500)
      if (seen.every(({ ms, status }) => status === 200 && ms < quickMs)) return
      if (performance.now() > untilMs) throw new Error(`not quick again within ${withinMs} ms`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }

  async #loop(kind: Kind, untilMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      const startedMs = performance.now()
      const { status } = await this.#call(kind)
      this.#seen.push({ kind, ms: performance.now() - startedMs, status })
      await sleep(PAUSE_MS)
    }
  }

  #call(kind: Kind) {
    // Another row each time: no cache is measured.
    const id = (this.#n++ * 7) % ROWS
    if (kind === 'write') {
      const sql = 'update bystander set v = $2 where id = $1'
      return this.#ask('/write', { statements: [{ sql, params: [id, `v${this.#n}`] }] })
    }
    const sql = 'select v from bystander where id = $1'
    const consistency = kind === 'read' ? 'replica' : 'strong'
    return this.#ask('/read', { sql, params: [id], consistency })
  }

  async #ask(path: string, body: unknown): Promise<{ status: number; text: string }> {
    try {
      return await this.#client.post(`/db${path}`, body)
    } catch (err) {
      return { status: 0, text: (err as Error).message }
    }
  }
}
