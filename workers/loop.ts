/**
 * The shell around the protocol: feeds events to the pure `handle`, one at a time,
 * and carries out what it decides. Effects start work and return; what they came
 * to comes back as an event. Only a lost database, or data that has to go, ends it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../platform/log.ts'
import {
  type ZooKeeper,
  ZooKeeperRefusedError,
  ZooKeeperUnavailableError
} from '../platform/zookeeper.ts'
import type { ClusterState } from '../wire/znodes.ts'
import { parseNode, STATE } from '../wire/znodes.ts'
import type { Broker } from './broker.ts'
import { nowMs } from './clock.ts'
import type { Position } from './entry.ts'
import type { CommitTimes } from './metrics.ts'
import type { Message } from './protocol/messages.ts'
import type { Divergence, Effect, Event, State } from './protocol/state.ts'
import { handle } from './protocol/step.ts'
import { sizeOf } from './protocol/steps.ts'
import { type View, viewOf } from './protocol/view.ts'
import {
  DiskFullError,
  DivergedError,
  type Store,
  TermRaisedError,
  WorkCancelledError
} from './store.ts'

const TICK_MS = 20
const RETRY_MS = 50
/** About as much as one answer to a `fetch` carries. */
const SERVE_BYTES = 4 * 1024 * 1024
/** An answer to a `fetch` of so many characters is large, and given again after so long. */
const LARGE_CHARS = 1024 * 1024
const LARGE_AGAIN_MS = 1_000
/** Queues of replicas; each connection has another. */
const SERVED_MAX = 64

export interface Loop extends Disposable {
  readonly state: State
  readonly view: View
  dispatch(event: Event): void
  /** Ends the worker: its database is lost, or something that must not happen has. */
  fail(error: unknown): void
  /** Called after every step; compares for itself what changed. */
  onStep(listener: (view: View, state: State) => void): void
  /** Ends with the reason why this worker cannot go on as it is. */
  readonly ended: Promise<{ readonly startOver: Divergence } | { readonly failed: unknown }>
}

export interface Edges {
  readonly store: Store
  readonly zookeeper: ZooKeeper
  readonly send: Broker['send']
  readonly times: Pick<CommitTimes, 'replicate'>
  readonly log: Logger
}

export function startLoop(initial: State, edges: Edges): Loop {
  const listeners: ((view: View, state: State) => void)[] = []
  const { promise: ended, resolve: end } = Promise.withResolvers<
    { startOver: Divergence } | { failed: unknown }
  >()
  let state = initial
  let view = viewOf(initial, nowMs())
  const perform = performer(edges, { dispatch, end, view: () => view, state: () => state })

  const events: Event[] = []
  let busy = false
  function dispatch(event: Event): void {
    events.push(event)
    if (busy) return // an event that a step brought about waits until that step is done
    busy = true
    try {
      for (let next = events.shift(); next !== undefined; next = events.shift()) run(next)
      busy = false
    } catch (failed) {
      // A bug: callers above (a broker's callback, say) would swallow it. It stays busy, and ends.
      end({ failed })
    }
  }

  function run(event: Event): void {
    const from = state
    const next = handle(state, event, nowMs())
    state = next.state
    view = viewOf(state, nowMs())
    logChange(edges.log, { from, to: state, cause: event.kind })
    for (const effect of next.effects) perform(effect)
    for (const listener of listeners) listener(view, state)
  }

  const timer = setInterval(() => dispatch({ kind: 'tick' }), TICK_MS)
  return {
    get state() {
      return state
    },
    get view() {
      return view
    },
    dispatch,
    fail: failed => end({ failed }),
    onStep: listener => void listeners.push(listener),
    ended,
    [Symbol.dispose]: () => clearInterval(timer)
  }
}

interface Inside {
  readonly dispatch: (event: Event) => void
  readonly end: (why: { startOver: Divergence } | { failed: unknown }) => void
  readonly view: () => View
  readonly state: () => State
}

function performer(edges: Edges, inside: Inside): (effect: Effect) => void {
  const { store, send } = edges
  const { dispatch, end } = inside
  const reading = stateReader(edges, dispatch)
  const serving = server(store)
  const fail = (failed: unknown) => end({ failed })
  return effect => {
    switch (effect.do) {
      case 'readState':
        return void reading().catch(fail)
      case 'cas':
        return void compareAndSet(edges, effect).then(dispatch, fail)
      case 'remember':
        return void remember(store, inside.state(), effect.term).then(dispatch, fail)
      case 'beginTerm':
        return finish(
          store.beginTerm(effect.term).then(entry => {
            return { kind: 'termBegun', term: effect.term, entry } as const
          })
        )
      case 'apply':
        return finish(apply(edges, effect))
      case 'cancelWork':
        return void store.cancel().catch(fail)
      case 'compare':
        return void compare(store, effect).then(event => event && dispatch(event), fail)
      case 'send':
        return send(effect.to, effect.message)
      case 'serve':
        return void serving(effect)
          .then(message => message && send(effect.to, message))
          .catch(fail)
      case 'startOver':
        return end({ startOver: effect.why })
    }
  }

  function finish(work: Promise<Event>): void {
    void work
      .catch((error: unknown) => refusal(error, store.last))
      .then(dispatch)
      .catch(fail)
  }
}

/** What a refused or cancelled transaction means to the protocol; anything else is the end. */
export function refusal(error: unknown, last: Position): Event {
  if (error instanceof TermRaisedError) return { kind: 'refused', why: 'term', last }
  if (error instanceof DivergedError) {
    return { kind: 'refused', why: 'rows', last, found: error.message }
  }
  if (error instanceof DiskFullError) return { kind: 'refused', why: 'full', last }
  if (error instanceof WorkCancelledError) return { kind: 'refused', why: 'cancelled', last }
  throw error
}

/** One read of `/state` at a time; a wish that comes meanwhile is met by one more. */
function stateReader(edges: Edges, dispatch: (event: Event) => void): () => Promise<void> {
  let reading = false
  let again = false
  return async () => {
    again = true
    if (reading) return
    reading = true
    try {
      while (again) {
        again = false
        const beganMs = nowMs()
        const node = await readState(edges.zookeeper)
        dispatch({ kind: 'stateRead', node, beganMs })
      }
    } catch (error) {
      if (!isPassing(error)) throw error
    } finally {
      reading = false
    }
  }
}

async function readState(zookeeper: ZooKeeper) {
  const node = await zookeeper.read(STATE)
  if (node === undefined) return null
  const state = parseNode<ClusterState>(node.data)
  return state === null ? null : { state, version: node.version }
}

/** Sent again, unchanged, until an answer comes; then `/state` itself says what became of it. */
async function compareAndSet(edges: Edges, effect: Extract<Effect, { do: 'cas' }>): Promise<Event> {
  const { zookeeper, log } = edges
  const data = JSON.stringify(effect.to)
  log.info({ version: effect.version, to: effect.to }, 'changing the cluster state')
  await untilAvailable(() => zookeeper.write(STATE, data, effect.version))
  for (;;) {
    const beganMs = nowMs()
    const node = await untilAvailable(() => readState(zookeeper))
    // Won or lost, that version is gone: a server that still shows it is behind.
    if (node === null || node.version > effect.version) return { kind: 'casSettled', node, beganMs }
    await sleep(RETRY_MS)
  }
}

/** ZooKeeper's own troubles pass; the session may have moved, a server may be behind. */
const isPassing = (error: unknown): boolean =>
  error instanceof ZooKeeperUnavailableError || error instanceof ZooKeeperRefusedError

async function untilAvailable<T>(operation: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await operation()
    } catch (error) {
      if (!isPassing(error)) throw error
      await sleep(RETRY_MS)
    }
  }
}

async function apply(
  { store, times }: Edges,
  { entries, term }: Extract<Effect, { do: 'apply' }>
): Promise<Event> {
  const beganMs = nowMs()
  await store.apply(entries, term)
  times.replicate(nowMs() - beganMs)
  return { kind: 'applied', term, last: store.last }
}

async function remember(store: Store, state: State, term: number): Promise<Event> {
  const stateVersion = state.known?.state.term === term ? state.known.version : 0
  await store.remember({ clusterId: state.clusterId, term, stateVersion })
  return { kind: 'remembered', term, stateVersion }
}

async function compare(
  store: Store,
  effect: Extract<Effect, { do: 'compare' }>
): Promise<Event | undefined> {
  const checksum = await store.checksumAt(effect.index)
  if (checksum === undefined) return undefined
  return { kind: 'compared', term: effect.term, equal: checksum === effect.checksum }
}

/**
 * A replica asks every 100 ms until it has what it asked for. What is large takes longer on its
 * way, and is not sent a second time at once.
 */
function server(store: Store) {
  const served = new Map<string, { after: number; untilMs: number }>()
  return async (effect: Extract<Effect, { do: 'serve' }>): Promise<Message | undefined> => {
    const { to, after } = effect
    const last = served.get(to)
    if (last?.after === after && nowMs() < last.untilMs) return undefined
    const message = await serve(store, effect)
    const size = message.kind === 'append' ? message.entries.reduce((n, e) => n + sizeOf(e), 0) : 0
    served.delete(to)
    served.set(to, { after, untilMs: nowMs() + (size > LARGE_CHARS ? LARGE_AGAIN_MS : 0) })
    const [eldest] = served.keys()
    if (served.size > SERVED_MAX && eldest !== undefined) served.delete(eldest)
    return message
  }
}

async function serve(store: Store, effect: Extract<Effect, { do: 'serve' }>): Promise<Message> {
  const { append, after } = effect
  const found = await store.entriesAfter(after, SERVE_BYTES)
  if (found === 'pruned') return { kind: 'pruned', term: append.term, from: append.from }
  return { ...append, prev: found.prev, entries: found.entries }
}

function logChange(log: Logger, change: { from: State; to: State; cause: Event['kind'] }): void {
  const { from, to, cause } = change
  if (from.role.kind !== to.role.kind || (from.diverged === null) !== (to.diverged === null)) {
    const { kind: role } = to.role
    const term = 'term' in to.role ? to.role.term : to.term
    const { last, commitIndex, diverged } = to
    const fields = { from: from.role.kind, to: role, term, last, commitIndex, diverged, cause }
    const differs = from.diverged === null && diverged?.kind === 'rows'
    if (differs) log.error(fields, 'rows differ from the log: out of service')
    else log.info(fields, 'role changed')
  }
}
