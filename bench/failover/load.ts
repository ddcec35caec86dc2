/**
 * Clients that write and read all the time, and when each was answered. An ordinary
 * client waits `TIMEOUT_MS` and takes anything but a success for an error; while
 * `retrying`, it sends a request again, with the same request id, until then.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { longestGapMs, type Window } from '../../test/torture/gaps.ts'

const TIMEOUT_MS = 10_000
const RETRY_MS = 50
const TABLE = 'failover'

export interface LoadOptions {
  /** Of the orchestrator. */
  readonly url: () => string
  readonly writers: number
  readonly readers: number
  /** Between an answer and the next request of a client. */
  readonly pauseMs: number
}

type Kind = 'write' | 'read'

/** What clients saw between two moments. */
export interface Seen {
  readonly writes: number
  readonly reads: number
  readonly writeGapMs: number
  readonly readGapMs: number
  readonly slowestMs: number
  readonly errors: readonly string[]
}

export class Load {
  retrying = false
  readonly #options: LoadOptions
  readonly #agent: Agent
  readonly #answeredAtMs: Record<Kind, number[]> = { write: [], read: [] }
  readonly #errors: { readonly atMs: number; readonly what: string }[] = []
  readonly #waits: { readonly atMs: number; readonly ms: number }[] = []
  #clients: Promise<void>[] = []
  #stopped = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#agent = new Agent({ connections: options.writers + options.readers })
  }

  async start(): Promise<void> {
    await this.#ask(
      'write',
      `create table ${TABLE} (
      id bigint generated always as identity primary key, value text not null)`
    )
    const { writers, readers } = this.#options
    this.#clients = [
      ...Array.from({ length: writers }, () => this.#run('write')),
      ...Array.from({ length: readers }, () => this.#run('read'))
    ]
  }

  seen(window: Window): Seen {
    const { write, read } = this.#answeredAtMs
    const within = ({ atMs }: { atMs: number }) => atMs >= window.fromMs && atMs <= window.toMs
    const count = (atMs: readonly number[]) => atMs.filter(ms => within({ atMs: ms })).length
    return {
      writes: count(write),
      reads: count(read),
      writeGapMs: longestGapMs(write, window),
      readGapMs: longestGapMs(read, window),
      slowestMs: Math.max(0, ...this.#waits.filter(within).map(({ ms }) => ms)),
      errors: this.#errors.filter(within).map(({ what }) => what)
    }
  }

  /** @returns what the database holds in the end, to be compared with what was acknowledged */
  async stop(): Promise<{ acknowledged: number; rows: number; values: number; unknown: number }> {
    this.#stopped = true
    await Promise.all(this.#clients)
    const sql = `select count(*) as rows, count(distinct value) as values from ${TABLE}`
    const { text } = await this.#ask('read', sql)
    const [row] = (JSON.parse(text) as { rows: { rows: string; values: string }[] }).rows
    await this.#agent.close()
    return {
      acknowledged: this.#answeredAtMs.write.length,
      rows: Number(row?.rows),
      values: Number(row?.values),
      unknown: this.#errors.length
    }
  }

  async #run(kind: Kind): Promise<void> {
    while (!this.#stopped) {
      await this.#one(kind)
      await sleep(this.#options.pauseMs)
    }
  }

  async #one(kind: Kind): Promise<void> {
    const key = randomUUID()
    const askedAtMs = performance.now()
    const waitedMs = () => performance.now() - askedAtMs
    for (;;) {
      const { status, text } = await this.#attempt(kind, key)
      const atMs = performance.now()
      if (status === 200) {
        this.#answeredAtMs[kind].push(atMs)
        this.#waits.push({ atMs, ms: waitedMs() })
        return
      }
      if (!this.retrying || waitedMs() > TIMEOUT_MS) {
        this.#errors.push({ atMs, what: `${kind}: ${text} after ${Math.round(waitedMs())} ms` })
        return
      }
      await sleep(RETRY_MS)
    }
  }

  /** Status 0: no answer at all. */
  async #attempt(kind: Kind, key: string): Promise<{ status: number; text: string }> {
    try {
      if (kind === 'read') return await this.#ask('read', 'select 1 as one')
      return await this.#ask('write', `insert into ${TABLE} (value) values ($1)`, key)
    } catch (err) {
      return { status: 0, text: String(err) }
    }
  }

  /** With a key, which is the only parameter too. */
  async #ask(kind: Kind, sql: string, key?: string): Promise<{ status: number; text: string }> {
    const statement = { sql, params: key === undefined ? [] : [key] }
    const { statusCode, body } = await request(`${this.#options.url()}/api/v1/db/${kind}`, {
      method: 'POST',
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key })
      },
      body: JSON.stringify(kind === 'read' ? statement : { statements: [statement] })
    })
    return { status: statusCode, text: await body.text() }
  }
}
