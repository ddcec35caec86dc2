/**
 * Decides which workers to start, start again, replace and remove. Pure: what runs,
 * what ZooKeeper shows and what died when come in, actions go out; it is asked again
 * and again, so an action that fails is simply decided anew.
 * Invariants:
 * - Data is thrown away only of a worker that `/state` does not name, and only while
 *   `/state` can be seen, no worker doubts it, and no operator wants it kept.
 * - A cluster that nobody has led is founded by one worker; copies follow when it leads.
 */
import { type BackoffPolicy, backoffMs } from '../wire/backoff.ts'
import { mayHoldGivenUp } from '../wire/znodes.ts'
import { type Cluster, masterOf } from './cluster-view.ts'
import type { Death, Place } from './runtimes/runtime.ts'
import { going } from './scaling/leaving.ts'

/** A worker that dies sooner after its start has died "at once". */
const QUICK_MS = 5_000
const QUICK_DEATHS_MAX = 5
/** A running worker that is missing from ZooKeeper for so long is replaced: frozen, or cut off. */
const SILENT_MS = 15_000
/** One without data, so for longer than the start takes on a machine that is busy. */
const SPEECHLESS_MS = 30_000
/** A start takes a second of CPU, of which a failover has the better use. */
const CALM_MS = 300
/** With so many workers, writes wait for the start of any one that dies. */
const NONE_TO_SPARE = 2
/** A spare costs half a second of CPU: it is made when all have been running for so long. */
const SETTLED_MS = 5_000
const RESTART: BackoffPolicy = { firstMs: 500, maxMs: 10_000 }

export type Action =
  | { readonly kind: 'create' }
  | { readonly kind: 'start'; readonly name: string }
  | { readonly kind: 'discard'; readonly name: string; readonly why: string }
  /** Workers that are to leave, all of them. */
  | { readonly kind: 'wish'; readonly leaving: readonly string[] }

/** What is remembered of a place. */
export interface Past {
  readonly startedAtMs: number
  readonly diedAtMs: number
  /** How often, the last times in a row, its worker died at once. */
  readonly quickDeaths: number
}

/** By place: since when its running worker is not registered. */
export type Silent = ReadonlyMap<string, number>

export interface Situation {
  readonly nowMs: number
  /** Workers to run, the master included. */
  readonly wanted: number
  readonly places: readonly Place[]
  readonly past: ReadonlyMap<string, Past>
  readonly silent: Silent
  readonly cluster: Cluster
  /** Whether RabbitMQ is there: without it a death says nothing against the worker. */
  readonly brokerUp: boolean
}

export function decide(situation: Situation): Action[] {
  const { cluster, places } = situation
  if (!cluster.known) return []
  // Those with data show what they have: an operator may have to choose.
  if (cluster.state === null) return starts(situation, places.filter(hasData))
  if (cluster.state.term === 0) return found(situation)
  const wasted = places.flatMap(place => discard(situation, place))
  const { discards, wishes } = scaleDown(situation, without(places, wasted))
  const kept = without(places, [...wasted, ...discards])
  const ups = [...starts(situation, kept), ...creations(situation, kept)]
  return [...wasted, ...discards, ...ups, ...wishes]
}

/**
 * Whether a process is to be kept that has loaded its code, for the next start: where writes
 * would wait for it. @returns null when one that is there stays, and none is made
 */
export function wantsSpare({ nowMs, wanted, places, past, cluster }: Situation): boolean | null {
  if (wanted > NONE_TO_SPARE) return false
  const isSettled = ({ name, workerId, pid }: Place) =>
    pid !== null &&
    cluster.state?.inSync.includes(workerId ?? '') === true &&
    nowMs - (past.get(name)?.startedAtMs ?? 0) >= SETTLED_MS
  const settled = places.length >= wanted && places.every(isSettled) && masterOf(cluster) !== null
  return settled ? true : null
}

/** @returns what is remembered of a place from this start on */
export const started = (past: Past | undefined, nowMs: number): Past => ({
  startedAtMs: nowMs,
  diedAtMs: past?.diedAtMs ?? 0,
  quickDeaths: past?.quickDeaths ?? 0
})

export function died(past: Past | undefined, nowMs: number): Past {
  // Adopted: it was started longer ago than anybody here knows.
  const startedAtMs = past?.startedAtMs ?? 0
  const quick = nowMs - startedAtMs < QUICK_MS
  return { startedAtMs, diedAtMs: nowMs, quickDeaths: quick ? (past?.quickDeaths ?? 0) + 1 : 0 }
}

export function silentOf(
  before: Silent,
  now: { places: readonly Place[]; workers: Cluster['workers']; nowMs: number }
): Silent {
  // Before a worker has its data, only the process tells which one it is.
  const joining = new Set([...now.workers.values()].map(({ pid }) => pid))
  const silent = now.places.filter(({ workerId, pid }) => {
    if (pid === null) return false
    return workerId === null ? !joining.has(pid) : !now.workers.has(workerId)
  })
  return new Map(silent.map(({ name }) => [name, before.get(name) ?? now.nowMs]))
}

/** Of a process that died before it had data: the id under which it was joining. */
export function joinerOf(workers: Cluster['workers'], { pid }: Death): string | null {
  const isIt = ({ role, pid: its }: { role: string; pid: number }) =>
    its === pid && (role === 'joining' || role === 'starting')
  return [...workers].find(([, node]) => isIt(node))?.[0] ?? null
}

/** Whether a znode is the dead worker's, and not that of a successor in the same place. */
export const isOf = (node: { readonly pid: number }, death: Death): boolean =>
  node.pid === death.pid

const hasData = ({ workerId }: Place): boolean => workerId !== null

function found(situation: Situation): Action[] {
  const { places } = situation
  // More than one: another cluster's, perhaps, which ZooKeeper has forgotten.
  if (places.some(hasData)) return starts(situation, places.filter(hasData))
  const founder = places.find(({ pid }) => pid !== null) ?? places[0]
  if (founder === undefined) return [{ kind: 'create' }]
  const discards = discard(situation, founder)
  return discards.length > 0 ? discards : starts(situation, [founder])
}

const starts = (situation: Situation, places: readonly Place[]): Action[] =>
  places
    .filter(place => isDue(situation, place))
    .map(({ name }) => ({ kind: 'start', name }) as const)

function isDue(situation: Situation, { name, pid }: Place): boolean {
  const { past, nowMs } = situation
  if (pid !== null) return false
  const { quickDeaths = 0, diedAtMs = 0 } = past.get(name) ?? {}
  const deadMs = nowMs - diedAtMs
  // One may be an accident, and writes may wait for this copy; two are a habit.
  if (quickDeaths > 1) return deadMs >= backoffMs(RESTART, quickDeaths - 2, () => 1)
  return deadMs >= CALM_MS || copiesAlive(situation) < 2
}

/** A process that is gone is no copy, though ZooKeeper may show it for a moment more. */
function copiesAlive({ cluster: { state, workers }, places }: Situation): number {
  const dead = new Set(places.flatMap(({ workerId, pid }) => (pid === null ? [workerId] : [])))
  return (state?.inSync ?? []).filter(id => workers.has(id) && !dead.has(id)).length
}

type Discard = Extract<Action, { kind: 'discard' }>

const without = (places: readonly Place[], gone: readonly Discard[]): Place[] =>
  places.filter(({ name }) => !gone.some(action => action.name === name))

/** What is of no use to anybody. */
function discard(situation: Situation, { name, workerId, pid }: Place): Discard[] {
  const { cluster } = situation
  const { state, workers } = cluster
  // Named: it has what was acknowledged, and its data is kept whatever becomes of it.
  if (workerId !== null && (state?.inSync.includes(workerId) || state?.master === workerId))
    return []
  if (isKept(cluster, { workerId })) return []
  const giveUp = (why: string): Discard[] => [{ kind: 'discard', name, why }]
  if (workerId !== null && workers.get(workerId)?.diverged) return giveUp('diverged')
  if (pid !== null) {
    return isSpeechless(situation, { name, workerId }) ? giveUp('says nothing, without data') : []
  }
  return isHopeless(situation, name) ? giveUp('died at once, again and again') : []
}

/** Sends away who is too many, if no data may be the only copy of something. */
function scaleDown(
  situation: Situation,
  places: readonly Place[]
): { discards: Discard[]; wishes: Action[] } {
  const { cluster, wanted } = situation
  const sound = soundOf(situation, places).filter(place => !isKept(cluster, place))
  const tooMany = isAllKept(cluster) ? 0 : sound.length - wanted
  const { now, leaving } = going({ places: sound, cluster }, tooMany)
  const before = new Set(cluster.wishes.leaving)
  const same = leaving.length === before.size && leaving.every(id => before.has(id))
  return {
    discards: now.map(({ name }) => ({ kind: 'discard', name, why: 'one too many' })),
    wishes: same ? [] : [{ kind: 'wish', leaving }]
  }
}

/** ZooKeeper may have lost its memory: whatever there is may be the only copy of something. */
const isAllKept = ({ workers }: Cluster): boolean =>
  [...workers.values()].some(({ role }) => role === 'fenced')

/** What a recovery gave up may be here: so it is, for all that is known, of one that does not run. */
function isKept(cluster: Cluster, { workerId }: Pick<Place, 'workerId'>): boolean {
  const { state, workers } = cluster
  if (workerId === null) return false
  if (isAllKept(cluster)) return true
  if (!state?.keepDiverged || state.inSync.includes(workerId)) return false
  return mayHoldGivenUp(state, workers.get(workerId)?.last.term ?? 0)
}

const isHopeless = ({ past, brokerUp }: Situation, name: string): boolean =>
  brokerUp && (past.get(name)?.quickDeaths ?? 0) >= QUICK_DEATHS_MAX

/** Frozen while it copied: it is killed, for nothing that it has is worth waiting for. */
const isSpeechless = (
  { silent, nowMs, cluster }: Situation,
  { name, workerId }: Pick<Place, 'name' | 'workerId'>
): boolean =>
  workerId === null &&
  masterOf(cluster) !== null &&
  nowMs - (silent.get(name) ?? nowMs) >= SPEECHLESS_MS

const isSilent = ({ silent, nowMs }: Situation, name: string): boolean =>
  nowMs - (silent.get(name) ?? nowMs) >= SILENT_MS

function creations(situation: Situation, kept: readonly Place[]): Action[] {
  const { cluster, wanted } = situation
  if (masterOf(cluster) === null) return []
  const missing = Math.max(0, wanted - soundOf(situation, kept).length)
  return Array.from({ length: missing }, () => ({ kind: 'create' }) as const)
}

/**
 * Without those that diverged, cannot be started or say nothing, and are kept all the same: they
 * are replaced. One that is heard again is one too many.
 */
const soundOf = (situation: Situation, places: readonly Place[]): Place[] =>
  places.filter(
    ({ name, workerId }) =>
      !isHopeless(situation, name) &&
      !isSilent(situation, name) &&
      (workerId === null || !situation.cluster.workers.get(workerId)?.diverged)
  )
