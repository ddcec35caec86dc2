/**
 * Clients that write and read all the time, and when each was answered. An ordinary
 * client waits `TIMEOUT_MS` and takes anything but a success for an error; while
 * `retrying`, it sends a request again, with the same request id, until then.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { longestGapMs, type Window } from '../../testing/clients/gaps.ts'
import type { Cluster } from '../../testing/cluster/cluster.ts'
import { until } from '../../testing/wait.ts'

const TIMEOUT_MS = 10_000
const RETRY_MS = 50
const GOING_MS = 60_000
const TABLE = 'failover'

export interface LoadOptions {
  readonly cluster: Pick<Cluster, 'url'>
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

/** What the database holds in the end, to be compared with what was acknowledged. */
export interface Found {
  readonly acknowledged: number
  readonly rows: number
  readonly values: number
  /** Writes of which clients were told nothing, or an error. */
  readonly unknown: number
}

export class Load {
  retrying = false
  readonly #options: LoadOptions
  readonly #agent: Agent
  readonly #answeredAtMs: Record<Kind, number[]> = { write: [], read: [] }
  readonly #errors: { readonly atMs: number; readonly kind: Kind; readonly what: string }[] = []
  /** For each of the answers. Numbers alone: there are many, and garbage holds up the clients. */
  readonly #waitedMs: Record<Kind, number[]> = { write: [], read: [] }
  #clients: Promise<void>[] = []
  #stopped = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#agent = new Agent({ connections: options.writers + options.readers })
  }

  async start(): Promise<void> {
    const sql = `create table if not exists ${TABLE} (
      id bigint generated always as identity primary key, value text not null)`
    await this.#post('write', { statements: [{ sql }] })
    const { writers, readers } = this.#options
    this.#clients = [
      ...Array.from({ length: writers }, () => this.#run('write')),
      ...Array.from({ length: readers }, () => this.#run('read'))
    ]
  }

  /** Resolves when each client could have been answered twice since the call: all go on. */
  async goesOn(): Promise<void> {
    const { writers, readers } = this.#options
    const wanted = {
      write: this.#answeredAtMs.write.length + 2 * writers,
      read: this.#answeredAtMs.read.length + 2 * readers
    }
    await until('clients to go on', { withinMs: GOING_MS }, () =>
      this.#answeredAtMs.write.length >= wanted.write &&
      this.#answeredAtMs.read.length >= wanted.read
        ? true
        : undefined
    )
  }

  seen(window: Window): Seen {
    const { write, read } = this.#answeredAtMs
    const within = ({ atMs }: { atMs: number }) => atMs >= window.fromMs && atMs <= window.toMs
    const count = (atMs: readonly number[]) => atMs.filter(ms => within({ atMs: ms })).length
    const slowest = (kind: Kind) =>
      this.#waitedMs[kind].reduce((most, ms, i) => {
        const atMs = this.#answeredAtMs[kind][i] as number
        return within({ atMs }) ? Math.max(most, ms) : most
      }, 0)
    return {
      writes: count(write),
      reads: count(read),
      writeGapMs: longestGapMs(write, window),
      readGapMs: longestGapMs(read, window),
      slowestMs: Math.max(slowest('write'), slowest('read')),
      errors: this.#errors.filter(within).map(({ what }) => what)
    }
  }

  async stop(): Promise<Found> {
    this.#stopped = true
    await Promise.all(this.#clients)
    const sql = `select count(*) as rows, count(distinct value) as values from ${TABLE}`
    const { text } = await this.#post('read', { sql, consistency: 'strong' })
    const [row] = (JSON.parse(text) as { rows: { rows: string; values: string }[] }).rows
    await this.#agent.close()
    return {
      acknowledged: this.#answeredAtMs.write.length,
      rows: Number(row?.rows),
      values: Number(row?.values),
      unknown: this.#errors.filter(({ kind }) => kind === 'write').length
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
        this.#waitedMs[kind].push(waitedMs())
        return
      }
      if (!this.retrying || waitedMs() > TIMEOUT_MS) {
        const what = `${kind}: ${text} after ${Math.round(waitedMs())} ms`
        this.#errors.push({ atMs, kind, what })
        return
      }
      await sleep(RETRY_MS)
    }
  }

  /** Status 0: no answer at all. */
  async #attempt(kind: Kind, key: string): Promise<{ status: number; text: string }> {
    try {
      // With the present time no orchestrator answers it from what it has kept.
      if (kind === 'read') return await this.#post('read', { sql: 'select now()' })
      const statement = { sql: `insert into ${TABLE} (value) values ($1)`, params: [key] }
      return await this.#post('write', { statements: [statement] }, key)
    } catch (err) {
      return { status: 0, text: String(err) }
    }
  }

  async #post(kind: Kind, ask: object, key?: string): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(`${this.#options.cluster.url}/api/v1/db/${kind}`, {
      method: 'POST',
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key })
      },
      body: JSON.stringify(ask)
    })
    return { status: statusCode, text: await body.text() }
  }
}
