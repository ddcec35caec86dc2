/**
 * What a worker knows and is, what can happen to it, and what it then does.
 * Plain data: the functions beside this file are pure, so a simulator can run them
 * as production does. Time is milliseconds of a monotonic clock, passed in.
 *
 * Invariants, by the names used in the code:
 * NAMED    every worker named in `/state` has every acknowledged entry
 * TERM     nothing of a term below the stored one is taken, confirmed or executed
 * MATCHED  a replica takes nothing of a master before their logs agree up to its own end
 * STAND    who has published itself as candidate confirms the old term no more
 */
import { type ClusterState, NO_WISHES, type Wishes, type WorkerRole } from '../../wire/znodes.ts'
import type { Entry, Position } from '../entry.ts'
import type { Append, Message } from './messages.ts'

export interface Settings {
  /** Copies an entry needs before it is acknowledged, the master's own included. */
  readonly minCopies: number
  readonly heartbeatMs: number
  /** A replica that owes a confirmation for so long leaves the in-sync set. */
  readonly replicaTimeoutMs: number
  readonly electionStepMs: number
  /** Age that a read of `/state` naming this worker may have when it takes a read. */
  readonly maxReadAgeMs: number
  /** A database that does not answer for so long counts as gone. */
  readonly masterStallMs: number
  /** So long after contact with ZooKeeper came back, others may still be on their way back. */
  readonly sessionGraceMs: number
}

/** Another worker (or this one), as its znode shows it. */
export interface Peer {
  readonly pid: number
  readonly role: WorkerRole
  readonly term: number
  readonly last: { readonly index: number; readonly term: number }
  readonly reachesAmqp: boolean
  readonly diverged: boolean
  /** Diverged by its rows: it does not stand for election. */
  readonly inDoubt?: boolean
  /** Elected only when nobody else is. */
  readonly yields: boolean
  readonly needsFrom: number | null
}

/** A read of `/state`. */
export interface Known {
  readonly state: ClusterState
  readonly version: number
  /** When the read began: what it shows was true at that moment or later. */
  readonly beganMs: number
}

export interface Follower {
  readonly kind: 'follower'
  readonly term: number
  readonly master: string
  /** Where the master listens; null until it was heard. */
  readonly ackTo: string | null
  readonly matched: boolean
  /** End of what was received in order: `last`, or the newest pending entry. */
  readonly tail: Position
  /** Received and not yet applied, in order, directly behind `last` (and what is being applied). */
  readonly pending: readonly Entry[]
  readonly barrier: number
  readonly fetchedAtMs: number
  /** The newest message that could not be taken yet: the term is being stored, or the log is moving. */
  readonly held: Append | null
}

export interface Candidate {
  readonly kind: 'candidate'
  /** The term it stands for. */
  readonly term: number
  readonly sinceMs: number
  /** Its znode says so. */
  readonly published: boolean
}

/** How far a worker has come, as the master sees it. */
export interface Progress {
  readonly index: number
  readonly barrier: number
  readonly joining: boolean
  /** What it owes, and until when; null while it owes nothing. */
  readonly due: { readonly index: number; readonly barrier: number; readonly atMs: number } | null
}

export interface Leader {
  readonly kind: 'leader'
  readonly term: number
  /** Index of the empty entry that begins the term; null until it is in the log. */
  readonly first: number | null
  readonly members: readonly string[]
  /** The set that an unanswered compare-and-set would bring; it counts from the moment that is sent. */
  readonly change: readonly string[] | null
  readonly progress: ReadonlyMap<string, Progress>
  readonly barrier: number
  readonly sentAtMs: number
  readonly sentCommit: number
  readonly checksums: ChecksumTail
  /** The newest entries that were appended together, and their characters. */
  readonly newest: { readonly index: number; readonly size: number }
  readonly withoutAmqpSinceMs: number | null
  /** Finishes what it has, to make room for another master as wished. */
  readonly draining: 'no' | { readonly sinceMs: number } | 'given up'
}

export type Role =
  /** `/state` is not known yet, or a higher term was heard of and its master not yet. */
  | { readonly kind: 'waiting' }
  | Follower
  | Candidate
  | Leader
  /** Serves nobody, keeps its data, waits for an operator. */
  | { readonly kind: 'fenced'; readonly trouble: string }

/** `log`: holds an entry that the master's log does not have. `rows`: its rows are in doubt. */
export type Divergence = 'log' | 'rows' | 'pruned'

export interface State {
  readonly settings: Settings
  readonly self: { readonly id: string; readonly pid: number }
  readonly clusterId: string
  /** The stored term: durable, never lowered. */
  readonly term: number
  /** A version of `/state` that was seen in the stored term. */
  readonly stateVersion: number
  /** End of the log here. */
  readonly last: Position
  /** Known to be committed; may lie beyond `last` on a replica. Never lowered. */
  readonly commitIndex: number
  readonly known: Known | null
  /** When the term of `known` was first seen. */
  readonly termSeenMs: number
  /** Null until they were seen. */
  readonly peers: ReadonlyMap<string, Peer> | null
  readonly peersSeenMs: number
  readonly wishes: Wishes
  /** Workers that an operator has frozen, this one perhaps among them. */
  readonly frozen: readonly string[]
  readonly amqp: boolean
  /** RabbitMQ takes no messages from anybody: its memory or its disk is full. */
  readonly blocked: boolean
  /** The own database can commit, as far as is known. */
  readonly postgres: boolean
  /** What keeps it from that, in words for an operator. */
  readonly postgresTrouble: string | null
  /** Queue at which this worker receives; new at each connection. */
  readonly queue: string
  /** Where this worker listens when it leads. */
  readonly ackQueue: string
  /** Registered in ZooKeeper: false from the expiry of a session until `/state` was read in the next. */
  readonly session: boolean
  readonly sessionLostMs: number
  /** When contact with ZooKeeper began, or came back; Infinity while there is none. Others may have lost it too. */
  readonly contactMs: number
  /** The newest message of a master that was heard: proof that it lives, whatever its znode says. */
  readonly heard: { readonly term: number; readonly from: string; readonly atMs: number } | null
  /** The one transaction that may be writing to the log. */
  readonly working: 'applying' | 'beginning' | 'executing' | null
  /** A compare-and-set that was sent and is not settled. */
  readonly casPending: boolean
  readonly diverged: {
    readonly kind: Divergence
    readonly sinceMs: number
    /** In words for an operator. */
    readonly trouble: string
  } | null
  /** Consecutive reads of `/state` that were behind what is stored here. */
  readonly forgotten: number
  readonly stateAskedMs: number
  readonly keepAfter: number
  readonly role: Role
}

/** What a worker knows when its process begins: what is on its disk, and nothing else. */
export function beginning(of: {
  readonly settings: Settings
  readonly self: State['self']
  readonly clusterId: string
  readonly term: number
  readonly stateVersion: number
  readonly last: Position
  readonly nowMs: number
}): State {
  const { nowMs, ...stored } = of
  return {
    ...stored,
    commitIndex: 0,
    known: null,
    termSeenMs: Number.NEGATIVE_INFINITY,
    peers: null,
    peersSeenMs: Number.NEGATIVE_INFINITY,
    wishes: NO_WISHES,
    frozen: [],
    amqp: false,
    blocked: false,
    postgres: true,
    postgresTrouble: null,
    queue: '',
    ackQueue: '',
    session: false,
    sessionLostMs: nowMs,
    contactMs: nowMs,
    heard: null,
    working: null,
    casPending: false,
    diverged: null,
    forgotten: 0,
    stateAskedMs: Number.NEGATIVE_INFINITY,
    keepAfter: 0,
    role: { kind: 'waiting' }
  }
}

export type Event =
  | {
      readonly kind: 'stateRead' | 'casSettled'
      readonly node: { readonly state: ClusterState; readonly version: number } | null
      readonly beganMs: number
    }
  | { readonly kind: 'stateChanged' | 'sessionLost' | 'barrierWanted' | 'tick' }
  /** ZooKeeper is out of reach, or reached again, in the same session or in a new one. */
  | { readonly kind: 'contact'; readonly up: boolean }
  | { readonly kind: 'executing' }
  | { readonly kind: 'peers'; readonly peers: ReadonlyMap<string, Peer> }
  | { readonly kind: 'wishes'; readonly wishes: Wishes }
  | { readonly kind: 'frozen'; readonly ids: readonly string[] }
  /** This worker's znode now says that it stands for `term`. */
  | { readonly kind: 'published'; readonly term: number }
  | { readonly kind: 'amqpUp'; readonly queue: string; readonly ackQueue: string }
  | { readonly kind: 'amqpDown' }
  | { readonly kind: 'amqpBlocked'; readonly isBlocked: boolean }
  | { readonly kind: 'remembered'; readonly term: number; readonly stateVersion: number }
  | { readonly kind: 'termBegun'; readonly term: number; readonly entry: Entry }
  | {
      readonly kind: 'executed'
      readonly term: number
      readonly entries: readonly Entry[]
      /** More is executed before anything else may be. */
      readonly goesOn?: boolean
    }
  | { readonly kind: 'applied'; readonly term: number; readonly last: Position }
  /** The transaction was not made: a higher term is stored, the rows are not what they should be, or there is no room. */
  | {
      readonly kind: 'refused'
      readonly why: 'term' | 'rows' | 'cancelled' | 'full'
      /** Long work is several transactions: where the log ends after those that were made. */
      readonly last: Position
      /** What does not fit, in words for an operator. */
      readonly found?: string
    }
  /** Rows or files here are not what they should be. */
  | { readonly kind: 'differs'; readonly tables: readonly string[] }
  /** Whether the own PostgreSQL answers and commits; what is wrong, if not. */
  | { readonly kind: 'postgres'; readonly answers: boolean; readonly trouble?: string }
  | { readonly kind: 'compared'; readonly term: number; readonly equal: boolean }
  | { readonly kind: 'message'; readonly message: Message }

export type Effect =
  | { readonly do: 'readState' }
  | { readonly do: 'cas'; readonly version: number; readonly to: ClusterState }
  | { readonly do: 'remember'; readonly term: number }
  | { readonly do: 'beginTerm'; readonly term: number }
  | { readonly do: 'apply'; readonly term: number; readonly entries: readonly Entry[] }
  | { readonly do: 'cancelWork' }
  | {
      readonly do: 'compare'
      readonly term: number
      readonly index: number
      readonly checksum: string
    }
  /** `to` is a queue, or the sync exchange. */
  | {
      readonly do: 'send'
      readonly to: string | { readonly exchange: 'sync' }
      readonly message: Message
    }
  /** Read entries after `after` and send them to `to`, in the frame of `append`. */
  | { readonly do: 'serve'; readonly to: string; readonly after: number; readonly append: Append }
  /** Throw the data away and begin as a new worker. */
  | { readonly do: 'startOver'; readonly why: Divergence }

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** Checksums of the newest entries, by index. Append-only, so steps may share it. */
export class ChecksumTail {
  #base: number
  #checksums: string[]

  constructor(at: Position) {
    this.#base = at.index
    this.#checksums = [at.checksum]
  }

  push(entries: readonly Entry[]): void {
    for (const entry of entries) this.#checksums.push(entry.checksum)
    if (this.#checksums.length < 16_384) return
    const drop = this.#checksums.length - 8_192
    this.#checksums = this.#checksums.slice(drop)
    this.#base += drop
  }

  /** Undefined where the tail does not reach. */
  at(index: number): string | undefined {
    return this.#checksums[index - this.#base]
  }
}
