/**
 * What a seed decides before anything happens: how large the cluster is, how long its
 * timeouts are against each other, and how bad the day gets. Timeouts are some four
 * times shorter than in production, so that a few seconds hold many faults.
 */

import type { Dice } from '../../testing/random.ts'
import type { Settings } from '../../workers/protocol/state.ts'

export interface Plan {
  readonly workers: number
  readonly orchestrators: number
  readonly clients: number
  readonly settings: Settings
  readonly sessionTimeoutMs: number
  /** After so much silence the broker ends a connection, and a client does. */
  readonly amqpSilenceMs: number
  readonly amqpPingMs: number
  readonly tickMs: number
  /** How far behind a ZooKeeper server may be. */
  readonly lagMs: number
  readonly sessionWaitMs: number
  readonly hedgeMs: number
  /** Of one attempt of a client's. */
  readonly ttlMs: number
  readonly thinkMs: number
  /** How long a request is remembered, at least. */
  readonly resultsKeepMs: number
  readonly prunes: boolean
  /** The longest commit of an ordinary transaction. */
  readonly commitMs: number
  readonly faultsMs: number
  /** Mean time between two faults. */
  readonly calmMs: number
  /** Whether orchestrators keep answers. */
  readonly keepsReads: boolean
  /** How many of the changes take their master with them. */
  readonly poisonous: number
  /** Nothing goes wrong but that ZooKeeper stands still: that costs no election and no copy. */
  readonly onlySessions: boolean
}

/** Within this virtual time after the last fault, all is well again. */
export const HEALED_WITHIN_MS = 4_000

export function planFrom(dice: Dice): Plan {
  const workers = dice.pick([3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7]) ?? 3
  const heartbeatMs = dice.between(50, 110)
  const onlySessions = dice.chance(0.1)
  const sessionTimeoutMs = dice.between(120, 350)
  // What is lost is fetched within two heartbeats and 100 ms: sooner, a sound replica would be slow.
  const replicaTimeoutMs = onlySessions ? dice.between(350, 500) : dice.between(150, 350)
  return {
    workers,
    orchestrators: dice.between(1, 3),
    clients: dice.between(3, 5),
    settings: {
      minCopies: workers > 3 && dice.chance(0.15) ? 3 : 2,
      heartbeatMs,
      replicaTimeoutMs,
      electionStepMs: dice.between(20, 60),
      maxReadAgeMs: replicaTimeoutMs + heartbeatMs,
      masterStallMs: dice.between(200, 600),
      sessionGraceMs: 2 * sessionTimeoutMs
    },
    sessionTimeoutMs,
    amqpSilenceMs: dice.between(300, 1_500),
    amqpPingMs: dice.between(150, 500),
    tickMs: dice.between(30, 55),
    lagMs: dice.chance(0.25) ? dice.between(5, 60) : 0,
    sessionWaitMs: dice.between(20, 100),
    hedgeMs: dice.between(30, 150),
    ttlMs: dice.between(300, 900),
    thinkMs: dice.between(5, 60),
    resultsKeepMs: dice.between(200, 600),
    prunes: dice.chance(0.5),
    commitMs: dice.pick([1.5, 3, 3, 12]) ?? 3,
    faultsMs: dice.between(400, 1_300),
    calmMs: dice.pick([25, 50, 90, 150]) ?? 50,
    keepsReads: dice.chance(0.5),
    poisonous: onlySessions ? 0 : (dice.pick([0, 0, 0.05, 0.1]) ?? 0),
    onlySessions
  }
}
