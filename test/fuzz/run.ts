/**
 * One run of the fuzzer: hostile clients send random statements to a whole cluster while a
 * bystander works. Invariants that it judges: no election, no worker lost, no 5xx, no slow
 * bystander, and equal workers at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpClient } from '../../testing/clients/http.ts'
import type { Cluster, ClusterNow } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'
import { BYSTANDER_SETUP, Bystander, type Latencies, type SlowAnswer } from './bystander.ts'
import { readCatalog } from './catalog.ts'
import { type FuzzRequest, SETUP, Statements, textOf } from './statements.ts'

const HOSTILE_ADDRESS = '127.0.0.3'
const BYSTANDER_ADDRESS = '127.0.0.2'
/** What a bystander may wait for an answer, on a machine that has nothing else to do. */
export const BYSTANDER_MS = 1_500
/** Of a schema change, by the limits of the workers. */
const SCHEMA_CHANGE_MS = 5_000
const WATCH_MS = 1_000
const REJOINED_MS = 20_000
const SHOWN_CHARS = 600
const PROBLEMS_MAX = 200

export interface FuzzOptions {
  readonly cluster: Cluster
  readonly seed: number
  readonly durationMs: number
  readonly clients: number
  /** Requests of one client, at most. */
  readonly perS: number
  /** What a bystander may wait for an answer; `BYSTANDER_MS` unless told. */
  readonly bystanderMs?: number
  /** Workers are compared this often, and at the end. */
  readonly compareEveryMs: number
  readonly show: (line: string) => void
  readonly stopped: AbortSignal
}

export interface FuzzReport {
  readonly seed: number
  readonly seconds: number
  readonly requests: number
  /** Times that a worker was seen to have left the in-sync set, to come back. */
  readonly departures: number
  /** Slow answers to the bystander while a schema change ran, within what it may take. */
  readonly heldUp: number
  /** Calls of functions and operators, and how many there are. */
  readonly calls: number
  readonly callables: number
  /** Answers by status, and refusals by code and SQLSTATE. */
  readonly statuses: Readonly<Record<string, number>>
  readonly refusals: Readonly<Record<string, number>>
  readonly bystander: Readonly<Record<string, Latencies>>
  readonly problems: readonly string[]
}

interface InFlight {
  readonly request: FuzzRequest
  readonly sinceMs: number
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { cluster } = options
  for (const sql of [BYSTANDER_SETUP, ...SETUP]) await write(cluster, { sql })
  const catalog = await readCatalog(cluster)
  options.show(`${catalog.callables.length} functions and operators, seed ${options.seed}`)
  const run = new Run(options, new Statements(catalog, options.seed))
  await run.toItsEnd()
  return run.report(catalog.callables.length)
}

class Run {
  readonly #options: FuzzOptions
  readonly #statements: Statements
  readonly #inFlight = new Set<InFlight>()
  readonly #statuses = new Map<string, number>()
  readonly #refusals = new Map<string, number>()
  readonly #problems: string[] = []
  readonly #startedMs = performance.now()
  #bystander: Bystander | undefined
  #requests = 0
  #departures = 0
  #heldUp = 0
  /** The last ones, also those that have not ended. */
  #schemaChanges: { readonly fromMs: number; toMs: number }[] = []

  constructor(options: FuzzOptions, statements: Statements) {
    this.#options = options
    this.#statements = statements
  }

  async toItsEnd(): Promise<void> {
    const { cluster, clients, durationMs } = this.#options
    const before = await cluster.now()
    const untilMs = performance.now() + durationMs
    {
      await using bystander = new Bystander({
        url: cluster.url,
        localAddress: BYSTANDER_ADDRESS,
        boundMs: this.#options.bystanderMs ?? BYSTANDER_MS,
        noticed: slow => this.#judgeSlow(slow)
      })
      this.#bystander = bystander
      bystander.start()
      const ended = () => performance.now() >= untilMs || this.#options.stopped.aborted
      const hostile = Array.from({ length: clients }, () => this.#attack(ended))
      await Promise.all([...hostile, this.#watch(before, ended)])
    }
    await this.#compare()
    // One whose PostgreSQL started again leaves the in-sync set for some seconds, and comes back.
    const after = await cluster.healed([], { withinMs: REJOINED_MS }).catch(() => cluster.now())
    this.#judgeMembers(before, after)
  }

  report(callables: number): FuzzReport {
    return {
      seed: this.#options.seed,
      seconds: Math.round((performance.now() - this.#startedMs) / 1_000),
      requests: this.#requests,
      departures: this.#departures,
      heldUp: this.#heldUp,
      calls: this.#statements.dealt,
      callables,
      statuses: sorted(this.#statuses),
      refusals: sorted(this.#refusals),
      bystander: this.#bystander?.latencies ?? {},
      problems: [...this.#problems, ...(this.#bystander?.problems ?? [])]
    }
  }

  async #attack(ended: () => boolean): Promise<void> {
    await using client = new HttpClient(this.#options.cluster.url, HOSTILE_ADDRESS)
    while (!ended()) {
      const pause = sleep(1_000 / this.#options.perS)
      const request = this.#statements.next()
      const flight = { request, sinceMs: performance.now() }
      this.#inFlight.add(flight)
      const change = { fromMs: flight.sinceMs, toMs: Number.POSITIVE_INFINITY }
      if (request.kind === 'write' && request.changesSchema) {
        this.#schemaChanges = [...this.#schemaChanges.slice(-20), change]
      }
      try {
        await this.#send(client, request)
      } catch (err) {
        this.#problem(`no answer (${String(err)}): ${textOf(request)}`)
        await sleep(WATCH_MS)
      } finally {
        this.#inFlight.delete(flight)
        change.toMs = performance.now()
      }
      await pause
    }
  }

  async #send(client: HttpClient, request: FuzzRequest): Promise<void> {
    this.#requests += 1
    const { status, text, ms } =
      request.kind === 'read'
        ? await client.post('/db/read', {
            ...request.statement,
            consistency: request.consistency
          })
        : await client.post('/db/write', { statements: request.statements })
    count(this.#statuses, String(status))
    if (status !== 200) count(this.#refusals, refusalOf(text))
    if (status < 500) return
    this.#problem(`${status} ${text.slice(0, 200)} after ${Math.round(ms)} ms: ${textOf(request)}`)
  }

  /** Elections and losses are told when they happen, with what was in flight. */
  async #watch(before: ClusterNow, ended: () => boolean): Promise<void> {
    const { cluster, compareEveryMs, show } = this.#options
    let { term, inSync } = before
    let comparedMs = performance.now()
    let shownMs = performance.now()
    while (!ended()) {
      await sleep(WATCH_MS)
      const now = await cluster.now().catch(() => undefined)
      if (now === undefined) continue
      if (now.term !== term) this.#problem(`term ${term} became ${now.term}${this.#beside()}`)
      term = now.term
      if (now.inSync.length < inSync.length) this.#departures += 1
      inSync = now.inSync
      if (performance.now() - shownMs > 30_000) {
        shownMs = performance.now()
        show(`${this.#requests} requests, ${this.#problems.length} problems`)
      }
      if (performance.now() - comparedMs < compareEveryMs) continue
      comparedMs = performance.now()
      await this.#compare()
    }
  }

  async #compare(): Promise<void> {
    await using client = new HttpClient(this.#options.cluster.url, BYSTANDER_ADDRESS)
    const { status, text } = await client.post('/cluster/verify', {})
    if (status !== 200) return this.#problem(`verify: ${status} ${text.slice(0, 300)}`)
    const { workers } = JSON.parse(text) as {
      workers: { id: string; equal: boolean; differing: unknown[] }[]
    }
    for (const { id, equal, differing } of workers) {
      if (!equal) this.#problem(`worker ${id} differs in ${JSON.stringify(differing)}`)
    }
  }

  #judgeMembers(before: ClusterNow, after: ClusterNow): void {
    const ids = ({ inSync }: ClusterNow) => [...inSync].sort().join(' ')
    if (ids(before) !== ids(after)) {
      this.#problem(`in-sync workers were ${ids(before)}, and are ${ids(after)}`)
    }
    const pids = ({ workers }: ClusterNow) =>
      workers
        .map(({ pid }) => pid)
        .sort()
        .join(' ')
    if (pids(before) !== pids(after)) {
      this.#problem(`processes of workers were ${pids(before)}, and are ${pids(after)}`)
    }
  }

  /** A schema change may hold up writes until its own bound; anything else may not. */
  #judgeSlow({ what, ms }: SlowAnswer): void {
    const sinceMs = performance.now() - ms
    const held = this.#schemaChanges.some(
      ({ fromMs, toMs }) => Math.min(toMs, performance.now()) - Math.max(fromMs, sinceMs) > ms / 3
    )
    const isExcused = held && what === 'write' && ms < SCHEMA_CHANGE_MS + BYSTANDER_MS
    if (isExcused) this.#heldUp += 1
    else this.#problem(`a ${what} of the bystander took ${Math.round(ms)} ms${this.#beside()}`)
  }

  #beside(): string {
    const nowMs = performance.now()
    const texts = [...this.#inFlight].map(
      ({ request, sinceMs }) => `\n    ${Math.round(nowMs - sinceMs)} ms: ${cut(textOf(request))}`
    )
    return texts.length === 0 ? '' : `; in flight:${texts.join('')}`
  }

  #problem(text: string): void {
    const atS = ((performance.now() - this.#startedMs) / 1_000).toFixed(0)
    const line = `at ${atS} s: ${cut(text, 4 * SHOWN_CHARS)}`
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(line)
    this.#options.show(`PROBLEM ${line}`)
  }
}

const cut = (text: string, chars = SHOWN_CHARS) =>
  text.length <= chars ? text : `${text.slice(0, chars)}...`

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

const sorted = (counts: ReadonlyMap<string, number>) =>
  Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))

function refusalOf(text: string): string {
  try {
    const { code, sqlstate } = JSON.parse(text) as { code?: string; sqlstate?: string }
    return sqlstate === undefined ? String(code) : `${code} ${sqlstate}`
  } catch {
    return 'no JSON'
  }
}
