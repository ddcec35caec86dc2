/**
 * Settings of an orchestrator, read once at start, and those that it hands on to
 * the workers it starts.
 */
import Type from 'typebox'
import { COMMON, ConfigError, HTTP, loadConfig } from '../platform/config.ts'
import { TOKENS } from '../platform/security/config.ts'
import type { LaneLimits } from './lanes/lane.ts'
import { OF_RUNTIMES, RUNTIME } from './runtimes/settings.ts'
import { SCALING_ENVIRONMENT } from './scaling/start.ts'

const MIB = 1024 * 1024

export const ORCHESTRATOR = {
  ...COMMON,
  ...HTTP,
  ...RUNTIME,
  ...TOKENS,
  ...SCALING_ENVIRONMENT,
  CONVOY_MIN_COPIES: Type.Integer({
    minimum: 1,
    maximum: 9,
    default: 2,
    description: "Copies, the master's included, that a write needs before it is acknowledged"
  }),
  CONVOY_LOGS_DIR: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Where `npm start` keeps the logs of its processes: the dashboard looks a request up in them'
    })
  ),
  CONVOY_CLONE_PASSWORD: Type.Optional(
    Type.String({
      minLength: 8,
      description: 'Password with which backups copy a database, as workers do; handed to them'
    })
  ),
  CONVOY_STORE_SECRET: Type.Optional(
    Type.String({
      minLength: 8,
      description: 'Secret of the installation: seals backups; handed to the workers'
    })
  ),
  CONVOY_POSTGRES_BIN: Type.Optional(
    Type.String({ minLength: 1, description: 'Folder of `pg_basebackup`, which takes backups' })
  ),
  CONVOY_INIT: Type.Boolean({
    default: false,
    description: 'Makes `/state` of a cluster that has none: for a new one only'
  }),
  CONVOY_ZOOKEEPER_OWN: Type.Boolean({
    default: false,
    description:
      'Whether ZooKeeper serves this cluster alone: only who knows CONVOY_ZOOKEEPER_AUTH may then use its root'
  }),
  CONVOY_STOP_WORKERS: Type.Boolean({
    default: false,
    description: 'Whether the workers are stopped with the last orchestrator'
  }),
  CONVOY_WRITE_DEADLINE_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 10_000,
    description: 'A write without an answer by then gets 504'
  }),
  CONVOY_READ_DEADLINE_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 10_000,
    description: 'A read without an answer by then gets 504'
  }),
  CONVOY_HEDGE_MS: Type.Integer({
    minimum: 10,
    maximum: 60_000,
    default: 300,
    description: 'What has no answer for so long is sent once more, unless all take long at present'
  }),
  CONVOY_LANE_IN_FLIGHT: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 6,
    description: 'Batches of a lane that are on their way at once'
  }),
  CONVOY_LANE_HOLD_MS: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 20,
    description: 'How long at most a batch keeps the next one waiting'
  }),
  CONVOY_LANE_BATCH: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description: 'Requests in one batch'
  }),
  CONVOY_LANE_BATCH_BYTES: Type.Integer({
    minimum: 1_024,
    default: MIB,
    description: 'Bytes of one batch, unless a single request is larger'
  }),
  CONVOY_LANE_IN_FLIGHT_BYTES: Type.Integer({
    minimum: MIB,
    default: 48 * MIB,
    description:
      'Bytes of requests that all orchestrators together may have on their way, half of them for large writes; what is beyond waits in a lane'
  }),
  CONVOY_LANE_WAITING: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 4_096,
    description: 'Requests that may wait in a lane; beyond that they are refused'
  }),
  CONVOY_LANE_WAITING_BYTES: Type.Integer({
    minimum: 1_024,
    default: 64 * MIB,
    description: 'Bytes that may wait in a lane'
  }),
  CONVOY_CACHE_BYTES: Type.Integer({
    minimum: 0,
    default: 32 * MIB,
    description: 'For answers of repeated reads; 0: none are kept'
  }),
  CONVOY_HEARTBEAT_MS: Type.Integer({
    minimum: 10,
    maximum: 5_000,
    default: 100,
    description: 'As the workers have it: a part of the age that a `replica` read may have'
  }),
  CONVOY_REPLICA_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 1_000,
    description: 'As the workers have it: the other part of that age'
  })
}

/** The orchestrator's own, which a worker has no business to see. */
const OWN =
  /^CONVOY_(TOKEN.*|HTTP_.*|REPLICAS.*|SCALE_.*|READS_PER_.*|INIT|STOP_WORKERS|LOGS_DIR|LANE_.*|CACHE_.*)$/

export function loadOrchestratorConfig(env?: NodeJS.ProcessEnv) {
  const config = loadConfig(ORCHESTRATOR, env)
  if (config.CONVOY_RUNTIME === 'process' && config.CONVOY_WORKERS_DIR === undefined) {
    throw new ConfigError(
      'bad environment:\n  CONVOY_WORKERS_DIR is needed where workers are processes'
    )
  }
  return config
}

export type OrchestratorConfig = ReturnType<typeof loadOrchestratorConfig>

/** Enough for a few turns of a batch; what is beyond waits in the lane, where it is bounded. */
const UNCONFIRMED_MAX = 16

/** Clients that ask again as soon as they are answered have done so by then. */
const AFTER_ANSWERS_MS = 1.5
/** About what a batch takes; a write could hardly be executed earlier, for those before it are. */
const BESIDE_OTHERS_MS = 15

/** Batches of one client that are on their way: enough for its throughput, and too few to fill a queue. */
const CLIENT_BATCHES = 4

export const laneLimits = (config: OrchestratorConfig): LaneLimits => ({
  inFlightMax: config.CONVOY_LANE_IN_FLIGHT,
  unconfirmedMax: UNCONFIRMED_MAX,
  holdMs: config.CONVOY_LANE_HOLD_MS,
  afterAnswersMs: AFTER_ANSWERS_MS,
  besideOthersMs: BESIDE_OTHERS_MS,
  batchMax: config.CONVOY_LANE_BATCH,
  batchMaxBytes: config.CONVOY_LANE_BATCH_BYTES,
  inFlightMaxBytes: config.CONVOY_LANE_IN_FLIGHT_BYTES,
  waitingMax: config.CONVOY_LANE_WAITING,
  waitingMaxBytes: config.CONVOY_LANE_WAITING_BYTES,
  clientInFlightMax: CLIENT_BATCHES * config.CONVOY_LANE_BATCH
})

/** The last two let wall clocks jump, in tests (testing/faults/clocks.ts). */
const KNOWN = /^(PATH|TZ|HOME|CONVOY_.*|LD_PRELOAD|CLOCK_JUMPS)$/

/** The environment of a worker: nothing but what it needs. */
export function workerEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const handed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    const known = KNOWN.test(name)
    if (value !== undefined && known && !OWN.test(name) && !OF_RUNTIMES.test(name)) {
      handed[name] = value
    }
  }
  return handed
}
