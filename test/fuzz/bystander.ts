/**
 * An innocent client beside the hostile ones: it writes a row and reads it back, all the
 * time, and notes how long each answer took.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpClient, type Reply } from '../../testing/clients/http.ts'

const EVERY_MS = 50
const TABLE = 'bystander'
export const BYSTANDER_SETUP = `create table if not exists ${TABLE} (id integer primary key, n integer not null)`

export interface SlowAnswer {
  readonly what: string
  readonly ms: number
  readonly atMs: number
}

export interface Latencies {
  readonly count: number
  readonly medianMs: number
  readonly p99Ms: number
  readonly worstMs: number
}

export class Bystander implements AsyncDisposable {
  readonly #client: HttpClient
  readonly #boundMs: number
  readonly #noticed: (slow: SlowAnswer) => void
  readonly #ms: Record<'write' | 'strong' | 'replica', number[]> = {
    write: [],
    strong: [],
    replica: []
  }
  readonly problems: string[] = []
  #stopped = false
  #running: Promise<unknown> = Promise.resolve()
  #rows = 0

  /** @param options.noticed called for each answer that took longer than `boundMs` */
  constructor(options: {
    url: string
    localAddress: string
    boundMs: number
    noticed: (slow: SlowAnswer) => void
  }) {
    this.#client = new HttpClient(options.url, options.localAddress)
    this.#boundMs = options.boundMs
    this.#noticed = options.noticed
  }

  start(): void {
    this.#running = Promise.all([this.#write(), this.#read('strong'), this.#read('replica')])
  }

  get latencies(): Readonly<Record<string, Latencies>> {
    return Object.fromEntries(Object.entries(this.#ms).map(([what, ms]) => [what, summary(ms)]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#running
    await this.#client[Symbol.asyncDispose]()
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      const id = this.#rows + 1
      const sql = `insert into ${TABLE} values ($1, $2) on conflict (id) do nothing`
      const reply = await this.#ask('write', '/db/write', {
        statements: [{ sql, params: [id, id] }]
      })
      if (reply?.status === 200) this.#rows = id
      await sleep(EVERY_MS)
    }
  }

  async #read(consistency: 'strong' | 'replica'): Promise<void> {
    while (!this.#stopped) {
      const expected = this.#rows
      const sql = `select count(*) as n from ${TABLE}`
      const reply = await this.#ask(consistency, '/db/read', { sql, consistency })
      if (reply?.status === 200 && consistency === 'strong') {
        const { rows } = JSON.parse(reply.text) as { rows: { n: string }[] }
        const n = Number(rows[0]?.n)
        if (n < expected) this.problems.push(`a strong read found ${n} of ${expected} rows`)
      }
      await sleep(EVERY_MS)
    }
  }

  async #ask(
    what: 'write' | 'strong' | 'replica',
    path: string,
    body: unknown
  ): Promise<Reply | undefined> {
    const startedMs = performance.now()
    const failed = (why: string) => this.problems.push(`a ${what} of the bystander: ${why}`)
    try {
      const reply = await this.#client.post(path, body)
      if (reply.status !== 200) failed(`${reply.status} ${reply.text.slice(0, 200)}`)
      this.#ms[what].push(reply.ms)
      if (reply.ms > this.#boundMs) this.#noticed({ what, ms: reply.ms, atMs: performance.now() })
      return reply
    } catch (err) {
      failed(`${String(err)} after ${Math.round(performance.now() - startedMs)} ms`)
      return undefined
    }
  }
}

function summary(ms: readonly number[]): Latencies {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10
  return { count: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), worstMs: at(0.999999) }
}
