/**
 * Names what keeps writes from succeeding, in every state in which they cannot. Pure.
 * The best-known reason comes first. The last one, `writesUnanswered`, is measured and rests
 * on no explanation: writes wait, and none was answered.
 */
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, masterOf } from './cluster-view.ts'
import { type Absences, type Missing, stuckOf } from './stuck.ts'

export const WHYS = [
  'inSyncGone',
  'memoryLost',
  'frozen',
  'writesDisabled',
  'noRabbitMQ',
  'rabbitMQBlocks',
  'noZooKeeper',
  'clusterUnknown',
  'noMaster',
  'masterInTrouble',
  'masterWithoutRabbitMQ',
  'tooFewCopies',
  'writesUnanswered'
] as const
export type Why = (typeof WHYS)[number]

/** An operator's own doing, or beyond anybody's: nothing is waited for before it is told. */
const AT_ONCE: readonly Why[] = ['inSyncGone', 'memoryLost', 'frozen', 'writesDisabled']
/** More than a failover takes, so that readiness does not flap with each. */
const GRACE_MS = 2_500
/** A statement takes 5 s at most, and a master that falls silent is replaced within 6 s. */
const UNANSWERED_MS = 8_000
/** How long writes that nobody answered are held against a cluster that is asked for none. */
const REMEMBERED_MS = 3_000

export interface Obstacle {
  readonly why: Why
  /** What is wrong and, where it can be known, what becomes of it. */
  readonly message: string
  readonly missing: readonly Missing[]
}

export interface Facts {
  readonly cluster: Cluster
  readonly absences: Absences
  readonly minCopies: number
  readonly zookeeper: boolean
  readonly broker: 'up' | 'down' | 'blocked'
  /** By an operator. */
  readonly frozen: boolean
  readonly writesDisabled: boolean
  readonly writes: Waiting
  readonly nowMs: number
}

/** Writes that wait for an answer. */
export interface Waiting {
  /** Of all writes so far. */
  readonly answered: number
  /** Since when some wait, or were given up, and none was answered; null: none do. */
  readonly sinceMs: number | null
  /** When a write was last seen to wait. */
  readonly seenAtMs: number
}

export const NONE_WAITS: Waiting = { answered: 0, sinceMs: null, seenAtMs: 0 }

export function noteWrites(
  before: Waiting,
  now: { readonly waiting: number; readonly answered: number; readonly nowMs: number }
): Waiting {
  const { waiting, answered, nowMs } = now
  const moves = answered !== before.answered
  if (waiting > 0) {
    const sinceMs = moves ? nowMs : (before.sinceMs ?? nowMs)
    return { answered, sinceMs, seenAtMs: nowMs }
  }
  const isOld = nowMs - before.seenAtMs > REMEMBERED_MS
  return { ...before, answered, sinceMs: moves || isOld ? null : before.sinceMs }
}

export function obstaclesOf(facts: Facts): Obstacle[] {
  const { cluster, absences, nowMs, broker } = facts
  const found: Obstacle[] = []
  const say = (why: Why, message: string) => found.push({ why, message, missing: [] })
  const stuck = stuckOf(cluster, absences, nowMs)
  if (stuck !== null) found.push(stuck)
  if (facts.frozen) say('frozen', 'an operator has frozen this orchestrator')
  if (facts.writesDisabled) say('writesDisabled', 'an operator has disabled `db.write`')
  if (broker === 'down') say('noRabbitMQ', 'RabbitMQ is not reached')
  if (broker === 'blocked') {
    say('rabbitMQBlocks', 'RabbitMQ takes no messages: its memory or its disk is nearly full')
  }
  if (!facts.zookeeper) say('noZooKeeper', 'ZooKeeper is not reached')
  if (!cluster.known || cluster.state === null) {
    say('clusterUnknown', 'no cluster is made yet, or nothing was heard of it')
    return found
  }
  if (stuck === null) found.push(...ofMaster(cluster), ...ofCopies(facts, cluster.state.inSync))
  const { sinceMs } = facts.writes
  if (sinceMs !== null && nowMs - sinceMs >= UNANSWERED_MS) {
    const seconds = Math.round((nowMs - sinceMs) / 1_000)
    say('writesUnanswered', `writes wait, and none was answered for ${seconds} s`)
  }
  return found
}

function ofMaster(cluster: Cluster): Obstacle[] {
  const id = masterOf(cluster)
  const node = id === null ? undefined : cluster.workers.get(id)
  if (id === null || node === undefined) {
    return [{ why: 'noMaster', message: 'no master leads: one is being elected', missing: [] }]
  }
  if (node.trouble) {
    return [{ why: 'masterInTrouble', message: `master ${id}: ${node.trouble}`, missing: [] }]
  }
  if (node.reachesAmqp !== false) return []
  const message = `master ${id} does not reach RabbitMQ`
  return [{ why: 'masterWithoutRabbitMQ', message, missing: [] }]
}

function ofCopies({ cluster, minCopies, absences, nowMs }: Facts, inSync: readonly string[]) {
  const faults = inSync.flatMap(id => faultOf(id, cluster.workers.get(id)) ?? [])
  const sound = inSync.length - faults.length
  if (sound >= minCopies) return []
  const why = faults.length === 0 ? '' : ` (${faults.join('; ')})`
  const message =
    `writes wait for copies: ${sound} of at least ${minCopies} in-sync workers serve${why}. ` +
    joiningText(cluster)
  const missing = [...absences].map(([id, { sinceMs, last }]) => {
    return { id, goneForMs: Math.round(nowMs - sinceMs), last }
  })
  return [{ why: 'tooFewCopies', message, missing } as const]
}

function faultOf(id: string, node: WorkerNode | undefined): string | undefined {
  if (node === undefined) return `${id} is gone`
  if (node.trouble) return `${id}: ${node.trouble}`
  if (node.diverged) return `${id} has diverged`
  // A candidate is as sound as a replica; who leads is another question.
  if (['master', 'replica', 'candidate'].includes(node.role)) return undefined
  return `${id} is ${node.role}`
}

/** Who is to become the next copy, and how far that is. */
function joiningText({ workers, supervisor, state }: Cluster): string {
  const joining = [...workers].filter(
    ([id, { role }]) => (role === 'joining' || role === 'starting') && !state?.inSync.includes(id)
  )
  if (joining.length > 0) return joining.map(([id, node]) => joinerText(id, node)).join('; ')
  if (supervisor === null) return 'No orchestrator supervises, so nobody starts another worker'
  return 'No worker is joining yet: the supervisor is to start one'
}

function joinerText(id: string, { copying, trouble, last }: WorkerNode): string {
  if (copying) {
    const { donor, since, percent } = copying
    return `${id} copies ${donor} since ${since}, ${percent} % done`
  }
  return trouble
    ? `${id}: ${trouble}`
    : `${id} has its copy, and catches up from index ${last.index}`
}

/** Since when each obstacle has been there. */
export type Since = ReadonlyMap<Why, number>

export const noteObstacles = (
  before: Since,
  obstacles: readonly Obstacle[],
  nowMs: number
): Since => new Map(obstacles.map(({ why }) => [why, before.get(why) ?? nowMs]))

/** @returns those that are there for longer than what passes by itself */
export const lasting = (
  obstacles: readonly Obstacle[],
  { since, nowMs }: { readonly since: Since; readonly nowMs: number }
): Obstacle[] =>
  obstacles.filter(({ why }) => {
    return AT_ONCE.includes(why) || nowMs - (since.get(why) ?? nowMs) >= GRACE_MS
  })
