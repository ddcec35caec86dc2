/**
 * Paths below the cluster's chroot in ZooKeeper, and what they hold (JSON).
 */

export const STATE = '/state'
export const WORKERS = '/workers'
export const ORCHESTRATORS = '/orchestrators'
export const SUPERVISOR = '/supervisor'
export const SERVICES = '/services'
export const WISHES = '/wishes'
/** What an operator changed on the running cluster; persistent, see orchestrator/scaling/settings.ts. */
export const CONFIG = '/config'
/** A child for each running process, ephemeral; see platform/controls/shapes.ts. */
export const INSTANCES = '/instances'
/** What the supervisor decided about the number of replicas; see orchestrator/scaling/scale.ts. */
export const SCALING = '/scaling'
/** A child for each orchestrator, ephemeral: how many reads it was asked for. */
export const READS = '/reads'

/** Null for what nobody of ours has written: one bad znode must not end those who read it. */
export function parseNode<T>(data: string): T | null {
  try {
    const node: unknown = JSON.parse(data)
    return typeof node === 'object' ? (node as T) : null
  } catch {
    return null
  }
}

export const chrootOf = (cluster: string) => `/convoy/${cluster}`

/** The single truth about who leads and who counts. Changed only by compare-and-set. */
export interface ClusterState {
  readonly clusterId: string
  /** 0 and nobody named: made by `init`, no worker has led yet. */
  readonly term: number
  /** Null with workers named: an operator's recovery chose these, and they elect one of them. */
  readonly master: string | null
  readonly inSync: readonly string[]
  /**
   * The term of a recovery that gave up entries, until an operator has that forgotten: a diverged
   * worker keeps what it has if its log ends in an earlier term. Older versions wrote `true`.
   */
  readonly keepDiverged?: number | boolean
}

/** Whether a log that ends in `lastTerm` may hold what a recovery gave up. */
export const mayHoldGivenUp = (
  { keepDiverged = false }: Pick<ClusterState, 'keepDiverged'>,
  lastTerm: number
): boolean => (typeof keepDiverged === 'number' ? lastTerm < keepDiverged : keepDiverged)

/** What is asked of workers. Persistent, so that it survives who asked; changed by compare-and-set. */
export interface Wishes {
  /** Workers that are to take no more reads and to leave the in-sync set. */
  readonly leaving: readonly string[]
  /** The term whose master is to make room for another; without a meaning in any other term. */
  readonly handoverOf: number | null
  /** Workers whose data is wrong, and what was found (orchestrator/verify/); by id, which lives and dies with the data. */
  readonly wrong?: Readonly<Record<string, string>>
}

export const NO_WISHES: Wishes = { leaving: [], handoverOf: null }

/** `left`: out of the in-sync set as wished; it may be stopped, and its data thrown away. */
export const WORKER_ROLES = [
  'starting',
  'joining',
  'replica',
  'candidate',
  'master',
  'fenced',
  'left'
] as const

export type WorkerRole = (typeof WORKER_ROLES)[number]

export interface WorkerNode {
  readonly pid: number
  /** Of which its data is; null until it has any. */
  readonly clusterId: string | null
  readonly host: string
  /** Container id, where the worker lives in one. */
  readonly container: string | null
  readonly role: WorkerRole
  /** The term of `role`: of a master the one it leads, of a candidate the one it stands for. */
  readonly term: number
  readonly last: { readonly index: number; readonly term: number }
  /** Where a physical copy can be taken from. */
  readonly clone: { readonly host: string; readonly port: number } | null
  readonly reachesAmqp: boolean
  /** Why it does not serve, in words for an operator. */
  readonly trouble: string | null
  readonly diverged: boolean
  /** Diverged by its rows: it does not stand for election. */
  readonly inDoubt?: boolean
  /** Elected only when nobody else is: it is leaving, or has just made room. */
  readonly yields: boolean
  /** The copy that a joining worker makes now; its last failure is in `trouble`. */
  readonly copying?: {
    readonly donor: string
    readonly since: string
    readonly percent: number
  } | null
  /** Log index from which a joining worker still needs entries. */
  readonly needsFrom: number | null
  readonly since: string
  /** Ids of the last requests that were refused here because they are harmful. */
  readonly harmful?: readonly string[]
  /** What its scrub has looked at; null when that is off. */
  readonly scrub?: ScrubNode | null
  /** For `cluster`: figures of the last second or so. */
  readonly figures: WorkerFigures
}

/** Of the present pass, and when the last one ended. */
export interface ScrubNode {
  readonly pages: { readonly read: number; readonly of: number; readonly passAt: string | null }
  readonly entries: { readonly read: number; readonly passAt: string | null }
  /** The first few findings since the worker started. */
  readonly damage: readonly string[]
}

export interface WorkerFigures {
  readonly applied: number
  readonly readsPerS: number
  readonly cpuPercent: number
  readonly memoryMiB: number
  /** How busy reads keep it, in percent: of a core, or of its connections, whichever is more. */
  readonly readLoadPercent?: number
  readonly machine?: MachineFigures
  /** Of its database on disk; told only of data that is kept for an operator. */
  readonly diskMiB?: number
}

export interface MachineFigures {
  readonly id: string
  readonly cores: number
  /** Mean number of cores with nothing to do. */
  readonly idleCores: number
}

export interface OrchestratorNode {
  readonly http: string
  readonly pid: number
  /** With these, others on its machine can tell that it is dead, whatever ZooKeeper still shows. */
  readonly startTime: string
  readonly pidSpace: string
  /** It takes no more calls of the database. */
  readonly frozen?: boolean
  /** Ids of the last reads that were refused here because they are harmful. */
  readonly harmful?: readonly string[]
}

export interface ServiceNode {
  readonly http: string
  readonly pid: number
  /** It takes no more calls. */
  readonly frozen?: boolean
}
