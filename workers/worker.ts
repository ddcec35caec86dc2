/**
 * One worker put together: its database, its place in ZooKeeper, its queues, and
 * the loop that decides. `run` ends when the worker cannot go on as it is.
 */
import type { AmqpLink } from '../platform/amqp.ts'
import type { ControlListener } from '../platform/controls/listener.ts'
import type { Logger } from '../platform/log.ts'
import type { Tracing } from '../platform/tracing/otlp.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import {
  NO_WISHES,
  parseNode,
  STATE,
  WISHES,
  type Wishes,
  WORKERS,
  type WorkerNode
} from '../wire/znodes.ts'
import { holdNews } from './announce.ts'
import { openBroker } from './broker.ts'
import { nowMs } from './clock.ts'
import type { WorkerConfig } from './config.ts'
import { type Consumption, openConsumption } from './consume.ts'
import { keptSize } from './disk-use.ts'
import { openFigures } from './figures.ts'
import { watchHealth } from './health.ts'
import type { Home, Identity } from './home.ts'
import { endLeftovers } from './leftovers.ts'
import { type Loop, startLoop } from './loop.ts'
import type { WorkerMetrics } from './metrics.ts'
import { Outbox } from './outbox.ts'
import { dataDirOf, type PostgresServer } from './postgres/server.ts'
import { beginning, type Settings, type State } from './protocol/state.ts'
import { isNamed } from './protocol/steps.ts'
import { publishRole } from './publish.ts'
import { openReads, PREFETCH, type Reads } from './reads.ts'
import type { Registration } from './registration.ts'
import { Scrub } from './scrub/scrub.ts'
import { DiskFullError, type Store } from './store.ts'
import { openTeller } from './telling.ts'
import { openWrites } from './writes.ts'

const FIGURES_MS = 1_000
const PRUNE_MS = 10_000
/** Request ids; each is an event, which orchestrators find by comparing. */
const HARMFUL_TOLD = 8
/** For the reads it has taken when it is told to stop. */
const DRAIN_MS = 2_000
/** A client that has lost contact is back within about one, when ZooKeeper answers again. */
const SESSIONS_OF_GRACE = 2

export interface Parts {
  readonly config: WorkerConfig
  readonly home: Pick<Home, 'dir' | 'doubt' | 'noteDoubt'>
  readonly identity: Identity
  /** As others know this process by. */
  readonly pid: number
  readonly postgres: PostgresServer
  readonly store: Store
  readonly zookeeper: ZooKeeper
  readonly registration: Registration
  readonly controls: ControlListener
  readonly metrics: WorkerMetrics
  readonly tracing: Tracing
  /** What the copy took that this worker began with; 0 when it made none. */
  readonly cloneMs: number
  readonly log: Logger
}

/** Starts the worker; everything it opens closes with `opened`. */
export function startWorker(parts: Parts, opened: AsyncDisposableStack): Loop {
  const { config, identity, store, zookeeper, log } = parts
  let link: AmqpLink | null = null
  const send = holdNews({
    send: (to, message) => broker.send(to, message),
    busy: () => loop.state.working === 'executing'
  })
  const { times } = parts.metrics
  const loop = opened.use(startLoop(begin(parts), { store, zookeeper, times, log, send }))
  const failed = (err: unknown) => loop.fail(err)
  const drop = () => broker.amqp.drop()
  const sessionWaitMs = config.CONVOY_SESSION_WAIT_MS
  const outbox = opened.use(new Outbox())
  const reading = { loop, store, sessionWaitMs, outbox, failed, drop, log }
  const reads = openReads(reading)
  const strongReads = openReads(reading)
  const harmful = tellHarmful(parts)
  const writes = openWrites({
    loop,
    store,
    times,
    teller: openTeller(parts),
    outbox,
    failed,
    drop,
    harmful
  })
  const consumption = openConsumption({ writes, reads, strongReads, log })
  const broker = openBroker({
    url: config.CONVOY_AMQP_URL,
    workerId: identity.workerId,
    log,
    outbox,
    events: {
      up(queues, opened) {
        link = opened
        parts.controls.attach(opened)
        loop.dispatch({ kind: 'amqpUp', ...queues })
      },
      down() {
        link = null
        loop.dispatch({ kind: 'amqpDown' })
      },
      blocked: isBlocked => loop.dispatch({ kind: 'amqpBlocked', isBlocked }),
      message: message => loop.dispatch({ kind: 'message', message }),
      cancelled: drop
    }
  })
  opened.use(broker)
  loop.onStep(view => consumption.follow(view, link))
  loop.onStep((_view, { peers }) => {
    outbox.workers = Math.max(1, peers?.size ?? 1)
  })
  followControls(parts, loop, consumption)
  opened.defer(() => reads.drain(DRAIN_MS))
  const { registration } = parts
  publishRole({ loop, registration, log, busy: () => reads.busy })
  watchCluster(parts, loop, opened)
  keepHouse(parts, { loop, reads: [reads, strongReads] }, opened)
  opened.use(endLeftovers({ loop, store, zookeeper, log }))
  const stallMs = config.CONVOY_MASTER_STALL_MS
  opened.use(watchHealth({ store, dir: parts.home.dir, loop, stallMs }))
  noteDoubts(parts, loop)
  store.onReport((replyTo, report) => broker.report(replyTo, report))
  nameSequencesToJoiners(store, loop)
  return loop
}

/** Before anything is consumed: a frozen worker that was started again takes no read. */
function followControls(
  { controls, config, store, log }: Parts,
  loop: Loop,
  consumption: Consumption
): void {
  controls.on(({ workers, frozen }) => {
    const { connections = config.CONVOY_READERS, readsInParallel = PREFETCH } = workers
    consumption.prefetch = readsInParallel
    store
      .resizeReaders(connections)
      .catch((err: unknown) => log.debug({ err }, 'a connection was not closed in order'))
    loop.dispatch({ kind: 'frozen', ids: Object.keys(frozen) })
  })
}

function watchCluster({ zookeeper }: Parts, loop: Loop, opened: AsyncDisposableStack): void {
  opened.use(zookeeper.watch(STATE, () => loop.dispatch({ kind: 'stateChanged' })))
  opened.use(
    zookeeper.watch(WISHES, node => {
      const wishes = (node && parseNode<Wishes>(node.data)) ?? NO_WISHES
      loop.dispatch({ kind: 'wishes', wishes })
    })
  )
  opened.use(
    zookeeper.watchChildren(WORKERS, nodes => {
      const peers = new Map<string, WorkerNode>()
      for (const [id, node] of nodes) {
        const peer = parseNode<WorkerNode>(node.data)
        if (peer !== null) peers.set(id, peer)
      }
      loop.dispatch({ kind: 'peers', peers })
    })
  )
  opened.use(
    zookeeper.on(event => {
      if (event === 'expired') loop.dispatch({ kind: 'sessionLost' })
      else loop.dispatch({ kind: 'contact', up: event === 'up' })
    })
  )
}

/** Names in its znode the last requests that were refused here because they are harmful. */
function tellHarmful({ registration, identity, log }: Parts): (requestId: string) => void {
  let harmful: readonly string[] = []
  return requestId => {
    harmful = [...harmful, requestId].slice(-HARMFUL_TOLD)
    log.error({ requestId }, 'a request is harmful, and is refused')
    registration
      .show(identity.workerId, { harmful })
      .catch((err: unknown) => log.debug({ err }, 'a harmful request could not be shown'))
  }
}

/** Shows figures and prunes the log, each in its time. */
function keepHouse(
  parts: Parts,
  work: { loop: Loop; reads: readonly Reads[] },
  opened: AsyncDisposableStack
): void {
  const { store, registration, identity, log } = parts
  const { loop } = work
  const figures = openFigures(parts.postgres.pid, {
    inContainer: parts.config.CONVOY_LIFE !== undefined
  })
  const kept = keptSize({ dir: parts.home.dir, loop, log })
  const scrub = opened.use(
    new Scrub({
      ...{ store, log, dataDir: dataDirOf(parts.home.dir) },
      bytesPerS: 1024 * parts.config.CONVOY_SCRUB_KIB_PER_S
    })
  )
  const answered = () => work.reads.reduce((sum, of) => sum + of.answered, 0)
  let memoryMiB = 0
  const now = () => ({ state: loop.state, reads: answered(), memoryMiB, scrub })
  parts.metrics.show(now, parts.cloneMs)
  const showing = setInterval(() => {
    const { last } = loop.state
    const shown = figures({ applied: last.index, reads: answered(), reading: store.reading })
    memoryMiB = shown.memoryMiB
    registration
      .show(identity.workerId, {
        last: { index: last.index, term: last.term },
        needsFrom: isNamed(loop.state) ? null : last.index,
        figures: { ...shown, ...kept() },
        scrub: scrub.now
      })
      .catch((err: unknown) => log.debug({ err }, 'figures could not be shown'))
  }, FIGURES_MS)
  const pruning = setInterval(() => {
    store.prune(loop.view.keepAfter).catch((err: unknown) => {
      if (!(err instanceof DiskFullError)) loop.fail(err)
    })
  }, PRUNE_MS)
  opened.defer(() => {
    clearInterval(showing)
    clearInterval(pruning)
  })
}

/**
 * Rows that differ take the worker out of service at once, and stay in doubt when it is
 * started again, until it is copied anew or an operator chooses it.
 */
function noteDoubts({ home }: Parts, loop: Loop): void {
  let noted = home.doubt()
  loop.onStep((_view, { diverged }) => {
    const doubt = diverged?.kind === 'rows' ? diverged.trouble : null
    if (doubt !== noted) home.noteDoubt(doubt)
    noted = doubt
  })
}

/** Copies of a master's data begin beyond the values that it has given out. */
function nameSequencesToJoiners(store: Store, loop: Loop): void {
  let before: readonly string[] = []
  loop.onStep((_view, { role }) => {
    const members = role.kind === 'leader' ? role.members : []
    if (members === before) return
    if (members.some(id => !before.includes(id))) store.nameSequences()
    before = members
  })
}

function settingsOf(config: WorkerConfig): Settings {
  const replicaTimeoutMs = config.CONVOY_REPLICA_TIMEOUT_MS
  return {
    minCopies: config.CONVOY_MIN_COPIES,
    heartbeatMs: config.CONVOY_HEARTBEAT_MS,
    replicaTimeoutMs,
    electionStepMs: config.CONVOY_ELECTION_STEP_MS,
    maxReadAgeMs: replicaTimeoutMs + config.CONVOY_HEARTBEAT_MS,
    masterStallMs: config.CONVOY_MASTER_STALL_MS,
    sessionGraceMs: SESSIONS_OF_GRACE * config.CONVOY_SESSION_TIMEOUT_MS
  }
}

function begin({ config, identity, pid, store, home }: Parts): State {
  const trouble = home.doubt()
  const begun = beginning({
    settings: settingsOf(config),
    self: { id: identity.workerId, pid },
    clusterId: identity.clusterId,
    term: store.memory.term,
    stateVersion: store.memory.stateVersion,
    last: store.last,
    nowMs: nowMs()
  })
  if (trouble === null) return begun
  return { ...begun, diverged: { kind: 'rows', sinceMs: nowMs(), trouble } }
}
