/**
 * What an absent znode proves. When ZooKeeper stands still, all sessions end at once, and whoever
 * gets the first new one sees nobody else. So for a while after contact came back, absence proves
 * nothing, and a master that is heard over RabbitMQ keeps its place (docs/decisions/session-grace.md).
 * The grace is about when to act, never about what is safe: NAMED and STAND hold without it.
 */
import type { ClusterState } from '../../wire/znodes.ts'
import type { Append } from './messages.ts'
import type { State } from './state.ts'

/** A message of the newest term that was heard proves that its master lives. */
export function hear(state: State, { term, from }: Append, nowMs: number): State {
  if (from === state.self.id || term < (state.heard?.term ?? 0)) return state
  return { ...state, heard: { term, from, atMs: nowMs } }
}

/** ZooKeeper is out of reach, or was so lately that others may not be back yet. */
export const isContactFresh = ({ contactMs, settings }: State, nowMs: number): boolean =>
  nowMs - contactMs < settings.sessionGraceMs

/**
 * The znode of the master is absent, and yet it lives, as far as anybody knows: it gets the first
 * chance to come back. Bounded twice: its heartbeats must go on, and contact must be fresh. A znode
 * that is there and says something else gives no grace.
 */
export function isMasterExpected(state: State, cluster: ClusterState, nowMs: number): boolean {
  const { heard, peers, settings } = state
  if (cluster.master === null || peers?.has(cluster.master) === true) return false
  if (heard === null || heard.from !== cluster.master || heard.term !== cluster.term) return false
  return isContactFresh(state, nowMs) && nowMs - heard.atMs < settings.replicaTimeoutMs
}

/**
 * Candidates wait for each other, so that the longest log wins and nobody has to be copied anew: for
 * as long as a replica may owe a confirmation, since nothing tells that an absent one lives.
 */
export const mayOthersCome = ({ contactMs, settings }: State, nowMs: number): boolean =>
  nowMs - contactMs < Math.min(settings.replicaTimeoutMs, settings.sessionGraceMs)
