/**
 * Settings of one worker, read once at start.
 */
import Type from 'typebox'
import { CERTIFICATE, COMMON, ConfigError, loadConfig } from '../platform/config.ts'
import { BACKEND_MEMORY_MIB, type Limits } from './postgres/limits.ts'

export const WORKER = {
  ...COMMON,
  ...CERTIFICATE,
  CONVOY_WORKER_DIR: Type.String({
    minLength: 1,
    description: "The worker's own folder: identity, pid file, socket, PostgreSQL data"
  }),
  CONVOY_WORKER_HOST: Type.String({
    default: '127.0.0.1',
    description:
      'Address at which others reach this worker: its PostgreSQL, for cloning only, and its metrics'
  }),
  CONVOY_METRICS_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description:
      "Port of `/metrics` at that address; 0 takes a free one, which the worker's znode shows"
  }),
  CONVOY_CLONE_FROM: Type.String({
    pattern: '^(samenet|samehost|[0-9a-f.:]+/[0-9]+)$',
    default: 'samenet',
    description:
      "Who may copy this worker's database, as PostgreSQL's pg_hba.conf has it: its own networks"
  }),
  CONVOY_LIFE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'In a container: which of its starts this is. Given by the orchestrator that starts it'
    })
  ),
  CONVOY_POSTGRES_BIN: Type.String({
    minLength: 1,
    description: 'Folder of `postgres`, `initdb` and `pg_basebackup`'
  }),
  CONVOY_POSTGRES_USER: Type.String({
    default: 'postgres',
    description:
      'The system user that PostgreSQL runs as when the worker is root; PostgreSQL refuses root'
  }),
  CONVOY_CLONE_PASSWORD: Type.String({
    minLength: 8,
    description: "Password with which workers copy each other's databases"
  }),
  CONVOY_STORE_SECRET: Type.String({
    minLength: 8,
    description: "Opens Convoy's own tables, which the application's statements must not"
  }),
  CONVOY_MIN_COPIES: Type.Integer({
    minimum: 1,
    maximum: 9,
    default: 2,
    description: "Copies, the master's included, that an entry needs before it is acknowledged"
  }),
  CONVOY_HEARTBEAT_MS: Type.Integer({
    minimum: 10,
    maximum: 5_000,
    default: 100,
    description: 'How often a master says that it is there, at least'
  }),
  CONVOY_REPLICA_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 1_000,
    description: 'A replica that owes a confirmation for so long leaves the in-sync set'
  }),
  CONVOY_ELECTION_STEP_MS: Type.Integer({
    minimum: 10,
    maximum: 5_000,
    default: 100,
    description: 'How long an election waits for those that have not said how far they are'
  }),
  CONVOY_MASTER_STALL_MS: Type.Integer({
    minimum: 200,
    maximum: 60_000,
    default: 2_000,
    description: 'A database that does not answer for so long counts as gone'
  }),
  CONVOY_SESSION_WAIT_MS: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 300,
    description: 'How long a `session` read waits for its index before the master is asked'
  }),
  CONVOY_STATEMENT_TIMEOUT_MS: Type.Integer({
    minimum: 10,
    maximum: 60_000,
    default: 5_000,
    description: 'What a statement, and a write as a whole, may take'
  }),
  CONVOY_WRITE_PATIENCE_MS: Type.Integer({
    minimum: 10,
    maximum: 60_000,
    default: 700,
    description: "What a write may take while other clients' writes wait"
  }),
  CONVOY_MAX_ENTRY_BYTES: Type.Integer({
    minimum: 1_024,
    default: 8 * 1024 * 1024,
    description: 'What one write may change and return; larger ones get 413'
  }),
  CONVOY_RESULTS_KEEP_MS: Type.Integer({
    minimum: 1_000,
    default: 600_000,
    description: 'How long a request id is remembered, at least'
  }),
  CONVOY_BACKEND_MEMORY_MIB: Type.Integer({
    minimum: 64,
    maximum: 65_536,
    default: BACKEND_MEMORY_MIB,
    description:
      'Private memory of one PostgreSQL process; a statement that needs more fails with SQLSTATE 53200'
  }),
  CONVOY_READERS: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 3,
    description: 'PostgreSQL connections that serve quick reads'
  }),
  CONVOY_SCRUB_KIB_PER_S: Type.Integer({
    minimum: 0,
    maximum: 1_048_576,
    default: 2_048,
    description:
      'How fast a worker reads its whole database again and again to find damaged pages; 0: never'
  }),
  CONVOY_SLOW_READERS: Type.Integer({
    minimum: 1,
    maximum: 8,
    default: 4,
    description: 'Further connections, for reads that last; one client gets half of them'
  })
}

/** @param folder the worker's own, of one that the environment tells none */
export function loadWorkerConfig(folder?: string) {
  const environment = folder === undefined ? {} : { CONVOY_WORKER_DIR: folder }
  const config = loadConfig(WORKER, { ...process.env, ...environment })
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
    writePatienceMs: config.CONVOY_WRITE_PATIENCE_MS,
    readTimeoutMs: timeoutMs,
    lockTimeoutMs: timeoutMs + 1_000,
    readers: config.CONVOY_READERS,
    slowReaders: config.CONVOY_SLOW_READERS,
    resultsKeepMs: config.CONVOY_RESULTS_KEEP_MS
  }
}

/** For PostgreSQL, which reads them itself. */
export function certificateFiles({ CONVOY_TLS_CERT: cert, CONVOY_TLS_KEY: key }: WorkerConfig) {
  return cert === undefined || key === undefined ? undefined : { cert, key }
}

export type WorkerConfig = ReturnType<typeof loadWorkerConfig>
