/**
 * Settings of one worker, read once at start.
 */
import Type from 'typebox'
import { COMMON, ConfigError, loadConfig } from '../platform/config.ts'
import type { Limits } from './postgres/limits.ts'

const WORKER = {
  ...COMMON,
  /** The worker's own folder: identity, pid file, socket, PostgreSQL data. */
  CONVOY_WORKER_DIR: Type.String({ minLength: 1 }),
  /** Address at which others reach this worker's PostgreSQL, for cloning only. */
  CONVOY_WORKER_HOST: Type.String({ default: '127.0.0.1' }),
  /** Who may copy this worker's database, as PostgreSQL's pg_hba.conf has it: its own networks. */
  CONVOY_CLONE_FROM: Type.String({
    pattern: '^(samenet|samehost|[0-9a-f.:]+/[0-9]+)$',
    default: 'samenet'
  }),
  /** In a container: which of its starts this is. Given by the orchestrator that starts it. */
  CONVOY_LIFE: Type.Optional(Type.String({ minLength: 1 })),
  CONVOY_POSTGRES_BIN: Type.String({ minLength: 1 }),
  /** The system user that PostgreSQL runs as when the worker is root; PostgreSQL refuses root. */
  CONVOY_POSTGRES_USER: Type.String({ default: 'postgres' }),
  CONVOY_CLONE_PASSWORD: Type.String({ minLength: 8 }),
  CONVOY_STORE_SECRET: Type.String({ minLength: 8 }),
  /** Copies, the master's included, that an entry needs before it is acknowledged. */
  CONVOY_MIN_COPIES: Type.Integer({ minimum: 1, maximum: 9, default: 2 }),
  CONVOY_HEARTBEAT_MS: Type.Integer({ minimum: 10, maximum: 5_000, default: 100 }),
  CONVOY_REPLICA_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 60_000, default: 1_000 }),
  CONVOY_ELECTION_STEP_MS: Type.Integer({ minimum: 10, maximum: 5_000, default: 100 }),
  CONVOY_MASTER_STALL_MS: Type.Integer({ minimum: 200, maximum: 60_000, default: 2_000 }),
  /** How long a `session` read waits for its index before the master is asked. */
  CONVOY_SESSION_WAIT_MS: Type.Integer({ minimum: 0, maximum: 10_000, default: 300 }),
  CONVOY_STATEMENT_TIMEOUT_MS: Type.Integer({ minimum: 10, maximum: 60_000, default: 5_000 }),
  CONVOY_MAX_ENTRY_BYTES: Type.Integer({ minimum: 1_024, default: 8 * 1024 * 1024 }),
  CONVOY_RESULTS_KEEP_MS: Type.Integer({ minimum: 1_000, default: 600_000 }),
  /** PostgreSQL connections that serve reads. */
  CONVOY_READERS: Type.Integer({ minimum: 1, maximum: 64, default: 3 })
}

export function loadWorkerConfig() {
  const config = loadConfig(WORKER)
  if (config.CONVOY_REPLICA_TIMEOUT_MS < 2 * config.CONVOY_HEARTBEAT_MS) {
    const problem = 'CONVOY_REPLICA_TIMEOUT_MS must be at least twice CONVOY_HEARTBEAT_MS'
    throw new ConfigError(`bad environment:\n  ${problem}`)
  }
  return config
}

/** What bounds the worker's database; the rest is as `workers/postgres/limits.ts` has it. */
export function limitsOf(config: WorkerConfig): Partial<Limits> {
  const timeoutMs = config.CONVOY_STATEMENT_TIMEOUT_MS
  return {
    maxEntryBytes: config.CONVOY_MAX_ENTRY_BYTES,
    writeTimeoutMs: timeoutMs,
    readTimeoutMs: timeoutMs,
    lockTimeoutMs: timeoutMs + 1_000,
    readers: config.CONVOY_READERS,
    resultsKeepMs: config.CONVOY_RESULTS_KEEP_MS
  }
}

export type WorkerConfig = ReturnType<typeof loadWorkerConfig>
