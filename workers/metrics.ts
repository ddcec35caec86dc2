/**
 * Figures of a worker. Times are noted once per message or batch, not per request; all
 * else is looked up when somebody asks.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { collectProcessMetrics } from '../platform/process-metrics.ts'
import type { State } from './protocol/state.ts'
import type { Scrub } from './scrub/scrub.ts'

const BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Where the time of a write goes, in milliseconds. */
export interface CommitTimes {
  /** From the receipt of a message to the beginning of its batch. */
  queue(ms: number): void
  executed(batch: {
    readonly commands: number
    readonly ms: number
    readonly commitMs: number
  }): void
  /** A replica's transaction, from its beginning to its commit. */
  replicate(ms: number): void
  /** From the own commit until all that must have confirmed have. */
  confirm(ms: number): void
}

/** What is looked up when somebody asks. */
export interface WorkerNow {
  readonly state: Pick<State, 'role' | 'term' | 'last' | 'commitIndex'>
  /** Reads answered since the start. */
  readonly reads: number
  /** Of the process and its PostgreSQL together. */
  readonly memoryMiB: number
  readonly scrub: Pick<Scrub, 'totals' | 'now'>
}

export interface WorkerMetrics {
  readonly registry: Registry
  readonly times: CommitTimes
  /** A process of PostgreSQL was frozen, killed, or let go after it had been frozen. */
  ended(how: 'frozen' | 'killed' | 'thawed'): void
  /** @param cloneMs what the copy took that the worker began with; 0 when it made none */
  show(now: () => WorkerNow, cloneMs: number): void
}

export function openMetrics(): WorkerMetrics {
  const registry = new Registry()
  collectProcessMetrics(registry)
  const ended = new Counter({
    name: 'convoy_worker_statements_ended_total',
    help: 'Statements ended from outside: `frozen` reads, `killed` writes; `thawed`: restarts for frozen ones',
    labelNames: ['how'],
    registers: [registry]
  })
  return {
    registry,
    times: openTimes(registry),
    ended: how => ended.inc({ how }),
    show: (...shown) => show(registry, ...shown)
  }
}

function openTimes(registry: Registry): CommitTimes {
  const registers = [registry]
  const parts = new Histogram({
    name: 'convoy_commit_part_seconds',
    help: 'Parts of a write: queue, execute, commit and confirm at the master, replicate at replicas',
    labelNames: ['part'],
    buckets: BUCKETS_S,
    registers
  })
  const batches = new Histogram({
    name: 'convoy_batch_commands',
    help: 'Writes in one transaction of the master',
    buckets: BATCH_BUCKETS,
    registers
  })
  const part = (name: string) => parts.labels(name)
  const [queue, execute, commit] = [part('queue'), part('execute'), part('commit')]
  const [replicate, confirm] = [part('replicate'), part('confirm')]
  return {
    queue: ms => queue.observe(ms / 1_000),
    executed({ commands, ms, commitMs }) {
      if (commands === 0) return
      batches.observe(commands)
      execute.observe(ms / 1_000)
      commit.observe(commitMs / 1_000)
    },
    replicate: ms => replicate.observe(ms / 1_000),
    confirm: ms => confirm.observe(ms / 1_000)
  }
}

function show(registry: Registry, now: () => WorkerNow, cloneMs: number): void {
  const registers = [registry]
  const gauge = (name: string, help: string, value: (now: WorkerNow) => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value(now()))
      }
    })
  gauge('convoy_worker_leads', '1 while this worker is the master', ({ state }) =>
    state.role.kind === 'leader' ? 1 : 0
  )
  gauge('convoy_worker_term', 'Term that this worker has stored', ({ state }) => state.term)
  gauge('convoy_log_index', 'End of the log of this worker', ({ state }) => state.last.index)
  gauge(
    'convoy_commit_index',
    'Highest index that this worker knows to be committed',
    ({ state }) => state.commitIndex
  )
  gauge('convoy_lag_entries', 'Committed entries that this worker has not applied', ({ state }) =>
    Math.max(0, state.commitIndex - state.last.index)
  )
  gauge(
    'convoy_worker_memory_bytes',
    'Memory of this worker and its PostgreSQL, shared pages left out',
    ({ memoryMiB }) => memoryMiB * 1024 * 1024
  )
  gauge(
    'convoy_clone_seconds',
    'What the copy took that this worker began with; 0 when it made none',
    () => cloneMs / 1_000
  )
  gauge(
    'convoy_scrub_damage',
    'Damaged pages and log entries that the scrub has found since the start, the first few',
    ({ scrub }) => scrub.now?.damage.length ?? 0
  )
  const counter = (name: string, help: string, value: (now: WorkerNow) => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset()
        this.inc(value(now()))
      }
    })
  counter('convoy_scrub_pages_total', 'Pages of the database whose checksum was looked at', of => {
    return of.scrub.totals.pages
  })
  counter('convoy_scrub_entries_total', 'Log entries whose checksum was looked at', of => {
    return of.scrub.totals.entries
  })
  new Counter({
    name: 'convoy_worker_reads_total',
    help: 'Reads that this worker has answered',
    registers,
    collect() {
      this.reset()
      this.inc(now().reads)
    }
  })
}
